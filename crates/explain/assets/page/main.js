// The page's state, and what moves it: buttons, keys, the address.

const data = JSON.parse(document.getElementById("data").textContent);
const network = new Network(data);
const steps = makeSteps(network);
const runs = [];
const runOf = (e) => (runs[e] ??= makeRun(network, data.examples[e]));
const state = { example: 0, step: 0, tab: "talk", selection: null, path: null };
const byId = (id) => document.getElementById(id);
const TABS = ["talk", "answer", "weights"];

/** Takes a change of the state, or a selection, and shows it. */
function act(change) {
  if (change.kind) {
    const { path = null, example, ...selection } = change;
    const same = state.selection && nameOf(state.selection) === nameOf(selection);
    Object.assign(state, { selection, path, tab: "answer", matrixLayer: undefined });
    if (example !== undefined) state.example = example;
    if (!same) say(`${nameOf(selection)} selected, derivative ${short(derivative(runOf(state.example), selection), 6)}`);
  } else {
    Object.assign(state, change);
    // A path belongs to its example and its weight.
    if ("example" in change || "selection" in change) state.path = null;
  }
  show();
}

function derivative(run, selection) {
  return selection.kind === "neuron" ? run.gradA[selection.layer][selection.neuron - 1] : run.gradient(selection);
}

function show() {
  const run = runOf(state.example);
  const step = steps[state.step];
  const focused = byId("stage").contains(document.activeElement) && document.activeElement.getAttribute("data-name");
  // An answer is about all of the numbers, whatever the steps have told.
  const told = state.selection && state.tab !== "talk" ? { ...steps.at(-1), layer: null, speakers: null } : step;
  const { clientWidth, clientHeight } = byId("stage");
  const aspect = clientHeight > 0 ? Math.min(Math.max(clientWidth / clientHeight, 0.7), 2.2) : 1.2;
  byId("stage").replaceChildren(draw(run, told, state, act, aspect));
  byId("example").value = String(state.example);
  byId("talk").replaceChildren(...talkPanel(run, step));
  const all = state.tab === "answer" ? data.examples.map((_, e) => runOf(e)) : [];
  byId("answer").replaceChildren(...(state.tab === "answer" ? answer(run, all, state, act) : []));
  byId("weights").replaceChildren(...(state.tab === "weights" ? weightsPanel(run, state, act) : []));
  byId("tab-answer").replaceChildren(state.selection ? "answer " : "answer", ...(state.selection ? tex(nameOf(state.selection)) : []));
  for (const tab of TABS) {
    const own = tab === state.tab;
    byId(tab).hidden = !own;
    byId(`tab-${tab}`).setAttribute("aria-selected", String(own));
    byId(`tab-${tab}`).tabIndex = own ? 0 : -1;
  }
  for (const [index, dot] of [...byId("timeline").children].entries()) {
    dot.firstChild.classList.toggle("done", index <= state.step);
    dot.firstChild.setAttribute("aria-current", index === state.step ? "step" : "false");
  }
  byId("back").disabled = byId("first").disabled = state.step === 0;
  byId("on").disabled = byId("last").disabled = state.step === steps.length - 1;
  if (focused) document.querySelector(`[data-name="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  remember();
}

/** The current step in words: who asks whom, the answer, the formula with its numbers. */
function talkPanel(run, step) {
  const heading = el("h2", {}, words(step.title));
  const where = el("p", { class: "where" }, `step ${step.index + 1} of ${steps.length}, ${step.phase === "forward" ? "forward" : "backward: the conversation"}`);
  const parts = [where, heading];
  if (step.talk) {
    const { asker, question, replier, reply } = step.talk(run);
    parts.push(
      el("div", { class: "bubble asks" }, el("p", { class: "who" }, `${asker} asks`), el("p", {}, question)),
      el("div", { class: "bubble answers" }, el("p", { class: "who" }, replier), el("p", {}, reply), step.says(run, act)),
    );
  } else {
    parts.push(el("div", { class: "bubble plain" }, step.says(run, act)));
  }
  return parts;
}

const say = (text) => {
  byId("live").textContent = text;
};

function go(step) {
  const to = Math.min(Math.max(step, 0), steps.length - 1);
  if (to === state.step && state.tab === "talk") return;
  Object.assign(state, { step: to, tab: "talk" });
  show();
  byId("talk").scrollTop = 0;
  say(`step ${to + 1}: ${steps[to].title}`);
}

function turn(by) {
  const examples = data.examples.length;
  const example = Math.min(Math.max(state.example + by, 0), examples - 1);
  if (example !== state.example) {
    act({ example });
    say(data.examples[example].name);
  }
}

function ask(text) {
  const asked = readName(text, network);
  const wrong = typeof asked === "string";
  byId("ask-error").textContent = wrong ? asked : "";
  byId("ask-name").setAttribute("aria-invalid", String(wrong));
  if (!wrong) act(asked);
  return !wrong;
}

/** The state stands in the address: `#W_112&example=2&step=7`, so that it can be linked to. */
function remember() {
  const parts = [];
  if (state.selection) parts.push(nameOf(state.selection));
  if (state.example) parts.push(`example=${state.example}`);
  if (state.step) parts.push(`step=${state.step + 1}`);
  if (state.tab !== (state.selection ? "answer" : "talk")) parts.push(`tab=${state.tab}`);
  const hash = parts.join("&");
  if (decodeURIComponent(location.hash.slice(1)) === hash) return;
  try {
    history.replaceState(null, "", `#${hash}`);
  } catch {
    // Some browsers keep the address of a local file as it is.
  }
}

function recall() {
  const next = { example: 0, step: 0, tab: "talk", selection: null, path: null };
  let name = null;
  for (const part of decodeURIComponent(location.hash.slice(1)).split("&").filter(Boolean)) {
    const [key, value] = part.split("=");
    const number = Number(value);
    if (value === undefined) name = part;
    else if (key === "example" && Number.isInteger(number) && data.examples[number]) next.example = number;
    else if (key === "step" && Number.isInteger(number)) next.step = Math.min(Math.max(number, 1), steps.length) - 1;
    else if (key === "tab" && TABS.includes(value)) next.tab = value;
    else if (key === "theme") setTheme(value);
  }
  const wantsTab = location.hash.includes("tab=");
  Object.assign(state, { ...next });
  const asked = name ? ask(name) : null;
  if (asked && wantsTab) act({ tab: next.tab });
  if (!asked) show();
}

function setTheme(theme) {
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
}

function toggleTheme() {
  const own = document.documentElement.dataset.theme;
  const dark = own ? own === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  setTheme(dark ? "light" : "dark");
  show();
}

const KEYS = {
  ArrowRight: () => go(state.step + 1),
  " ": () => go(state.step + 1),
  ArrowLeft: () => go(state.step - 1),
  Home: () => go(0),
  End: () => go(steps.length - 1),
  ArrowUp: () => turn(-1),
  ArrowDown: () => turn(1),
  Escape: () => {
    document.activeElement?.blur();
    act({ selection: null, tab: "talk" });
  },
  "/": () => byId("ask-name").focus(),
  "?": () => byId("help").showModal(),
  d: toggleTheme,
};

function press(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || byId("help").open) return;
  const { target } = event;
  const typing = target.matches?.("input, select, textarea");
  if (typing && event.key === "Escape") target.blur();
  // Space and the arrows belong to what has the focus, where that uses them.
  if (typing || (event.key === " " && target.matches?.("button, [role=button]"))) return;
  if (target.getAttribute?.("role") === "tab" && event.key.startsWith("Arrow")) {
    const next = TABS[(TABS.indexOf(state.tab) + (event.key === "ArrowLeft" ? 2 : 1)) % 3];
    act({ tab: next });
    byId(`tab-${next}`).focus();
    event.preventDefault();
    return;
  }
  const done = KEYS[event.key];
  if (done) {
    event.preventDefault();
    done();
  }
}

function start() {
  data.examples.forEach((example, e) => byId("example").append(el("option", { value: e }, example.name)));
  byId("example").addEventListener("change", (event) => act({ example: Number(event.target.value) }));
  byId("example-back").addEventListener("click", () => turn(-1));
  byId("example-on").addEventListener("click", () => turn(1));
  byId("ask").addEventListener("submit", (event) => {
    event.preventDefault();
    ask(byId("ask-name").value);
  });
  const to = { first: () => 0, back: () => state.step - 1, on: () => state.step + 1, last: () => steps.length - 1 };
  for (const [id, where] of Object.entries(to)) byId(id).addEventListener("click", () => go(where()));
  TABS.forEach((tab) => byId(`tab-${tab}`).addEventListener("click", () => act({ tab })));
  byId("theme").addEventListener("click", toggleTheme);
  byId("help-open").addEventListener("click", () => byId("help").showModal());
  for (const step of steps) {
    const dot = el("button", { type: "button", class: step.phase, title: step.title, "aria-label": `step ${step.index + 1}: ${step.title}`, tabindex: "-1" });
    dot.addEventListener("click", () => go(step.index));
    byId("timeline").append(el("li", {}, dot));
  }
  document.addEventListener("keydown", press);
  addEventListener("hashchange", recall);
  addEventListener("resize", show);
  if (data.select && !location.hash) ask(data.select);
  if (location.hash) recall();
  else show();
  if (!data.complete) {
    byId("check").append("the numbers are the program’s: the network is too large to ship whole");
    return;
  }
  const difference = Math.max(...data.examples.map((_, e) => runOf(e).difference()));
  byId("check").append(
    el("data", { id: "difference", value: String(difference) }, difference <= 1e-9 ? "✓" : "✗"),
    ` this page’s own gradients and the program’s differ by ${difference.toExponential(1)} relative`,
  );
}

start();
