"use strict";
// Checks what was typed, and shows or hides the key.

const key = document.getElementById("key");
const toggle = document.getElementById("toggle");
toggle.addEventListener("click", () => {
  key.hidden = !key.hidden;
  toggle.setAttribute("aria-expanded", String(!key.hidden));
  toggle.textContent = key.hidden ? "show the answer key" : "hide the answer key";
});
document.getElementById("print").addEventListener("click", () => print());

/** Right to the four decimals asked for, or to three digits where the answer is small. */
const isRight = (typed, answer) => Math.abs(typed - answer) <= (Math.abs(answer) < 1e-3 ? 5e-3 * Math.abs(answer) : 1.5e-4);

document.getElementById("check").addEventListener("click", () => {
  let [right, filled] = [0, 0];
  const blanks = [...document.querySelectorAll("input[data-answer]")];
  for (const blank of blanks) {
    const text = blank.value.trim().replace("−", "-").replace(",", ".");
    const typed = text === "" ? null : Number(text);
    const ok = typed !== null && isRight(typed, Number(blank.dataset.answer));
    filled += typed !== null;
    right += ok;
    blank.classList.toggle("right", ok);
    blank.classList.toggle("wrong", typed !== null && !ok);
    blank.setAttribute("aria-invalid", String(typed !== null && !ok));
  }
  document.getElementById("score").textContent = `${right} of ${blanks.length} right, ${filled - right} wrong, ${blanks.length - filled} empty`;
});
