//! The HTML page in a headless Chromium: what it computes, and what a click shows.
//!
//! Skipped with a message where Chromium or its driver is not installed.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use chainrule::Model;
use chainrule::autograd::{Backward, Network, Param, Workspace};
use chainrule::explain::{Explainer, Page};
use chainrule::layers::{Activation, Dense, Dropout, Layer, Softmax};
use chainrule::loss::{Loss, Reduction, Targets, parse};
use chainrule::rand::{RngExt, SeedableRng, rngs::Xoshiro256PlusPlus};
use chainrule::tensor::Matrix;
use serde_json::{Value, json};

use crate::common::{Lab, classes_csv};

const OPTIONS: [&str; 9] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1600,900",
];

/// The first of these programs that runs.
fn program(names: &[&str]) -> Option<PathBuf> {
    let runs = |name: &&&str| {
        let status = Command::new(name).arg("--version").stdout(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    };
    let found = names.iter().find(runs).map(PathBuf::from);
    if found.is_none() {
        println!("skipped: none of {} is installed", names.join(", "));
    }
    found
}

fn chromium() -> Option<PathBuf> {
    program(&["chromium", "chromium-browser", "google-chrome"])
}

/// A browser driven by the WebDriver protocol; it ends when this is dropped.
struct Browser {
    driver: Child,
    session: String,
    agent: ureq::Agent,
    _profile: tempfile::TempDir,
}

impl Browser {
    fn start() -> Option<Self> {
        let chromium = chromium()?;
        let driver = program(&["chromedriver"])?;
        let mut driver = Command::new(driver)
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = lines.map_while(Result::ok).find_map(|line| {
            let (_, port) = line.split_once("started successfully on port ")?;
            port.trim_end_matches('.').parse::<u16>().ok()
        });
        let base = format!("http://127.0.0.1:{}/session", port.expect("the driver's port"));
        let profile = tempfile::tempdir().unwrap();
        let mut options: Vec<String> = OPTIONS.iter().map(ToString::to_string).collect();
        options.push(format!("--user-data-dir={}", profile.path().display()));
        let chromium = which(&chromium);
        let capabilities = json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": { "binary": chromium, "args": options },
            "goog:loggingPrefs": { "browser": "ALL" },
        } } });
        let agent = ureq::Agent::new_with_defaults();
        let mut browser = Self { driver, session: base.clone(), agent, _profile: profile };
        let session = browser.post(&base, &capabilities);
        let id = session["sessionId"].as_str().unwrap_or_else(|| panic!("{session}"));
        browser.session = format!("{base}/{id}");
        Some(browser)
    }

    fn post(&self, url: &str, body: &Value) -> Value {
        let answer = self.agent.post(url).send_json(body);
        let mut answer = answer.unwrap_or_else(|error| panic!("{url}: {error}"));
        answer.body_mut().read_json::<Value>().unwrap()["value"].take()
    }

    fn ask(&self, command: &str, body: Value) -> Value {
        self.post(&format!("{}/{command}", self.session), &body)
    }

    fn open(&self, path: &Path, fragment: &str) {
        // From another page, so that the fragment is read anew.
        self.ask("url", json!({ "url": "about:blank" }));
        self.ask("url", json!({ "url": format!("file://{}{fragment}", path.display()) }));
    }

    /// The value of an expression in the page.
    fn eval(&self, expression: &str) -> Value {
        self.ask("execute/sync", json!({ "script": format!("return {expression}"), "args": [] }))
    }

    /// The number in a `data` element.
    fn number(&self, id: &str) -> f64 {
        let value = self.eval(&format!("document.getElementById('{id}')?.value"));
        let text = value.as_str().unwrap_or_else(|| panic!("no number {id}"));
        text.parse().unwrap()
    }

    fn text(&self, selector: &str) -> String {
        let text = self.eval(&format!("document.querySelector(`{selector}`).textContent"));
        text.as_str().unwrap().to_owned()
    }

    /// A click of the mouse in the middle of an element.
    fn click(&self, selector: &str) {
        let found = self.ask("element", json!({ "using": "css selector", "value": selector }));
        let id = found.as_object().unwrap().values().next().unwrap().as_str().unwrap();
        self.ask(&format!("element/{id}/click"), json!({}));
    }

    /// A click of the mouse on a line of the drawing, near its beginning, where no other crosses it.
    fn click_line(&self, name: &str) {
        let place = self.eval(&format!(
            "(() => {{ const line = document.querySelector(\"[data-name='{name}'] .touch\");
               const [x1, y1, x2, y2] = ['x1', 'y1', 'x2', 'y2'].map(a => line[a].baseVal.value);
               const at = new DOMPoint(x1 + 0.15 * (x2 - x1), y1 + 0.15 * (y2 - y1));
               const p = at.matrixTransform(line.getScreenCTM());
               return [Math.round(p.x), Math.round(p.y)]; }})()"
        ));
        let actions = [
            json!({ "type": "pointerMove", "x": place[0], "y": place[1] }),
            json!({ "type": "pointerDown", "button": 0 }),
            json!({ "type": "pointerUp", "button": 0 }),
        ];
        let source = json!({ "type": "pointer", "id": "mouse", "actions": actions });
        self.ask("actions", json!({ "actions": [source] }));
    }

    /// A key pressed and released.
    fn key(&self, key: &str) {
        let actions =
            [json!({ "type": "keyDown", "value": key }), json!({ "type": "keyUp", "value": key })];
        let source = json!({ "type": "key", "id": "keyboard", "actions": actions });
        self.ask("actions", json!({ "actions": [source] }));
    }

    /// What the page complained about.
    fn complaints(&self) -> Vec<Value> {
        let log = self.ask("se/log", json!({ "type": "browser" }));
        log.as_array().unwrap().clone()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.agent.delete(&self.session).call();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// The whole path of a program, as the driver wants it.
fn which(name: &Path) -> PathBuf {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders).map(|folder| folder.join(name)).find(|p| p.is_file()).unwrap()
}

/// A network on random examples.
struct Case {
    network: Network<f64>,
    x: Matrix<f64>,
    values: Matrix<f64>,
    classes: Vec<usize>,
    loss: Box<dyn Loss<f64>>,
}

impl Case {
    fn new(layers: Vec<Box<dyn Layer<f64>>>, loss: &str, rows: usize) -> Self {
        let mut network = Network::new(layers).unwrap();
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(11);
        network.theta_mut().iter_mut().for_each(|t| *t = rng.random_range(-1.2..1.2));
        let k = network.outputs();
        let x = Matrix::from_fn(rows, network.inputs(), |_, _| rng.random_range(-1.5..1.5));
        let values = Matrix::from_fn(rows, k, |_, _| rng.random_range(0.05..0.95));
        let classes = (0..rows).map(|row| row % k).collect();
        let weights: Vec<f64> = (0..k).map(|c| 0.5 + c as f64).collect();
        let weights = loss.contains("class_weights").then_some(&weights[..]);
        let loss = parse(loss, weights, Reduction::Mean).unwrap();
        Self { network, x, values, classes, loss }
    }

    fn targets(&self) -> Targets<'_, f64> {
        match self.loss.name().contains("cross_entropy") {
            true => Targets::Classes(&self.classes),
            false => Targets::Values(self.values.view()),
        }
    }

    fn backward<'a>(&'a self, workspace: &'a mut Workspace<f64>) -> Backward<'a, f64> {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(4);
        let forward = self.network.forward_train(self.x.view(), workspace, &mut rng).unwrap();
        forward.output_units(&*self.loss, self.targets()).unwrap().hidden_units()
    }

    fn page(&self) -> String {
        let mut workspace = Workspace::new(&self.network, self.x.rows()).unwrap();
        let backward = self.backward(&mut workspace);
        Page::new(&backward, &*self.loss, self.targets()).unwrap().to_string()
    }
}

fn dense(inputs: usize, outputs: usize, g: Activation) -> Box<dyn Layer<f64>> {
    Box::new(Dense::new(inputs, outputs, g).unwrap())
}

#[test]
fn the_address_asks_for_a_weight() {
    let Some(chromium) = chromium() else { return };
    let lab = Lab::new();
    let case = Case::new(
        vec![dense(2, 3, Activation::Sigmoid), dense(3, 2, Activation::Identity)],
        "cross_entropy",
        2,
    );
    let path = lab.write("page.html", case.page());
    let profile = tempfile::tempdir().unwrap();
    let output = Command::new(chromium)
        .args(OPTIONS)
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg("--dump-dom")
        .arg(format!("file://{}#W_112&example=1", path.display()))
        .output()
        .unwrap();
    let dom = String::from_utf8(output.stdout).unwrap();
    let (_, rest) = dom.split_once(r#"<data id="derivative" value=""#).expect("the derivative");
    let found: f64 = rest.split_once('"').unwrap().0.parse().unwrap();
    let mut workspace = Workspace::new(&case.network, 2).unwrap();
    let backward = case.backward(&mut workspace);
    let mut gradient = vec![0.0; case.network.parameter_count()];
    backward.example_gradient(1, &mut gradient).unwrap();
    let expected = gradient[1];
    assert!((found / expected - 1.0).abs() < 1e-12, "{found} {expected}");
}

#[test]
fn the_page_computes_what_the_program_does() {
    let Some(browser) = Browser::start() else { return };
    let lab = Lab::new();
    // Every activation in one deep network; the losses on small ones.
    let mut all: Vec<_> = Activation::ALL.iter().map(|&g| dense(2, 2, g)).collect();
    all.push(dense(2, 2, Activation::Identity));
    let mut cases = vec![Case::new(all, "cross_entropy", 3)];
    for loss in [
        "cross_entropy(label_smoothing=0.1,class_weights)",
        "bce_with_logits",
        "squared_error",
        "mse",
        "l1",
        "huber(0.7)",
    ] {
        let drop = Box::new(Dropout::new(4, 0.4).unwrap());
        let layers =
            vec![dense(3, 4, Activation::Gelu), drop as _, dense(4, 3, Activation::Identity)];
        cases.push(Case::new(layers, loss, 3));
    }
    let softmax = Box::new(Softmax::new(3).unwrap());
    let layers = vec![dense(2, 3, Activation::Tanh), softmax as _];
    cases.push(Case::new(layers, "probability_cross_entropy", 2));
    for case in &cases {
        let name = case.loss.name();
        let path = lab.write("page.html", case.page());
        browser.open(&path, "");
        let difference = browser.number("difference");
        assert!(difference <= 1e-12, "{name}: {difference:e}");
        let mut workspace = Workspace::new(&case.network, case.x.rows()).unwrap();
        let backward = case.backward(&mut workspace);
        let explainer = Explainer::new(&backward);
        for param in ["W_112", "b_12", "W_111"] {
            browser.open(&path, &format!("#{param}"));
            let param: Param = param.parse().unwrap();
            let batch = explainer.batch(param).unwrap();
            let paths = explainer.paths(param, 0, 10).unwrap();
            let close = |found: f64, expected: f64| {
                (found - expected).abs() <= 1e-9 * paths.magnitude.max(f64::MIN_POSITIVE)
            };
            assert!(close(browser.number("derivative"), batch.examples[0].value), "{name} {param}");
            let mean = browser.number("batch-derivative");
            assert!((mean - batch.value).abs() <= 1e-9 * batch.value.abs(), "{name} {param}");
            let shares = browser.eval(
                "[...document.querySelectorAll('.paths tbody tr td:nth-child(2) .n')].map(n => Number(n.title))",
            );
            // A network with one path, or none that carries anything, has no table of them.
            let shares = shares.as_array().unwrap();
            let most = paths.strongest.len() == 1 || paths.magnitude == 0.0;
            assert_eq!(shares.len(), if most { 0 } else { paths.strongest.len() }, "{name}");
            for (found, path) in shares.iter().zip(&paths.strongest) {
                let found = found.as_f64().unwrap();
                assert!(close(found.abs(), path.value.abs()), "{name} {param}: {found}");
            }
        }
        // The page sees when its numbers are not the program's.
        let html = std::fs::read_to_string(&path).unwrap();
        let wrong = html.replacen("\"x\":[", "\"x\":[0.7,", 1);
        assert_ne!(wrong, html);
        browser.open(&lab.write("wrong.html", wrong), "");
        let difference = browser.number("difference");
        assert!(difference.is_nan() || difference > 1e-9, "{name}: {difference:e}");
        assert_eq!(browser.complaints(), Vec::<Value>::new(), "{name}");
    }
}

#[test]
fn clicks_and_keys_lead_through_the_page() {
    let Some(browser) = Browser::start() else { return };
    let lab = Lab::new();
    lab.write("kinds.csv", classes_csv(60));
    lab.ok("train --data kinds.csv --target kind --hidden 3 --activation tanh --epochs 5 \
         --html page.html");
    browser.open(&lab.path("page.html"), "");
    assert_eq!(browser.text("#talk .where"), "step 1 of 14, forward");

    // A weight by its line, its derivative against the program's.
    browser.click_line("W_112");
    let found = browser.number("derivative");
    let records = lab.ok(
        "explain chainrule-model.safetensors --data kinds.csv --weight W_112 --batch 60 --format json",
    );
    let record: Value = serde_json::from_str(&records).unwrap();
    let examples = record["responsibility"]["examples"].as_array().unwrap();
    let model = Model::<f64>::load(lab.path("chainrule-model.safetensors")).unwrap();
    assert_eq!(model.network().parameter_count(), 3 * 2 + 3 + 2 * 3 + 2);
    let known = examples.iter().any(|e| {
        let expected = e["value"].as_f64().unwrap();
        (found - expected).abs() <= 1e-9 * expected.abs()
    });
    assert!(known, "no example has the derivative {found}");
    let title = browser.text("#tab-answer");
    assert_eq!(title, "answer W112");

    // Examples, paths, neurons, biases, cells.
    browser.key("\u{e015}"); // Arrow down
    assert_ne!(browser.number("derivative"), found);
    browser.key("\u{e013}"); // Arrow up
    assert_eq!(browser.number("derivative"), found);
    browser.click(".paths tbody tr:nth-child(1) button");
    assert_eq!(browser.eval("document.querySelectorAll('.path line').length"), 1);
    browser.click("[data-name='a_12']");
    assert_eq!(browser.text("#tab-answer"), "answer a12");
    browser.click("[data-name='b_21'] text");
    assert_eq!(browser.text("#tab-answer"), "answer b21");
    browser.click("#tab-weights");
    browser.click(".grid [data-name='W_112'], .grid [data-name='W_212']");
    assert_eq!(browser.text("#tab-answer"), "answer W212");

    // The steps by keys, to the end and back.
    browser.key("\u{e00c}"); // Escape
    browser.key("\u{e014}"); // Arrow right
    assert_eq!(browser.text("#talk .where"), "step 2 of 14, forward");
    browser.key(" ");
    assert_eq!(browser.text("#talk .where"), "step 3 of 14, forward");
    browser.key("\u{e010}"); // End
    assert_eq!(browser.text("#talk .where"), "step 14 of 14, backward: the conversation");
    assert!(browser.text("#live").contains("responsibility"));
    browser.key("\u{e012}"); // Arrow left
    assert_eq!(browser.text("#talk .where"), "step 13 of 14, backward: the conversation");
    browser.key("\u{e011}"); // Home
    assert_eq!(browser.text("#talk .where"), "step 1 of 14, forward");
    let address = browser.eval("location.hash");
    assert_eq!(address, "");

    // A wrong name gets one line, the light goes on and off, the help opens.
    browser.eval("(document.getElementById('ask-name').value = 'W_999', 1)");
    browser.click("#ask button");
    assert_eq!(browser.text("#ask-error"), "there is no layer 9: the network has 2");
    let paper = "getComputedStyle(document.documentElement).backgroundColor";
    let before = browser.eval(paper);
    browser.click("#theme");
    assert_ne!(browser.eval(paper), before);
    browser.click("#help-open");
    assert_eq!(browser.eval("document.getElementById('help').open"), true);
    assert_eq!(browser.complaints(), Vec::<Value>::new());
}

#[test]
fn the_digits_page_shows_the_picture() {
    let Some(browser) = Browser::start() else { return };
    let lab = Lab::new();
    lab.ok("train --epochs 2 -q");
    let path = lab.path("chainrule-model.html");
    browser.open(&path, "#W_1,5,20");
    assert_eq!(browser.eval("document.querySelectorAll('.pixel').length"), 64);
    assert!(browser.number("difference") <= 1e-9);
    let first = browser.number("derivative");
    // With a neuron of layer 1 chosen, a pixel is its weight.
    browser.click(".pixel:nth-child(30)");
    assert_eq!(browser.text("#tab-answer"), "answer W1,5,30");
    assert!(browser.text(".fold").contains("others"));
    browser.click("#tab-weights");
    browser.click("#weights canvas");
    assert!(browser.text("#tab-answer").starts_with("answer W1,"));
    browser.open(&path, "#W_1,5,20");
    assert_eq!(browser.number("derivative"), first);
    assert_eq!(browser.complaints(), Vec::<Value>::new());
}

#[test]
fn of_a_network_too_large_for_the_page_every_derivative_is_there() {
    let Some(browser) = Browser::start() else { return };
    let lab = Lab::new();
    let case = Case::new(
        vec![
            dense(40, 500, Activation::Relu),
            dense(500, 200, Activation::Tanh),
            dense(200, 5, Activation::Identity),
        ],
        "cross_entropy",
        2,
    );
    let path = lab.write("page.html", case.page());
    let mut workspace = Workspace::new(&case.network, 2).unwrap();
    let backward = case.backward(&mut workspace);
    let explainer = Explainer::new(&backward);
    browser.open(&path, "");
    let exported = browser.eval("network.known(1)[3]").as_u64().unwrap() as usize;
    let other = (1..).find(|j| !browser.eval(&format!("network.knows(1, {j})")).as_bool().unwrap());
    let hidden = browser.eval("network.known(2)[0]").as_u64().unwrap();
    for (param, is_exported) in [
        (format!("W_1,{exported},7"), true),
        (format!("W_1,{},7", other.unwrap()), false),
        (format!("b_2,{hidden}"), true),
    ] {
        browser.open(&path, &format!("#{param}&example=1"));
        let param: Param = param.parse().unwrap();
        let paths = explainer.paths(param, 1, 10).unwrap();
        let found = browser.number("derivative");
        assert!((found - paths.sum).abs() <= 1e-9 * paths.magnitude, "{param}: {found}");
        let rows = browser.eval("document.querySelectorAll('.paths tbody tr').length");
        let expected =
            if !is_exported || paths.magnitude == 0.0 { 0 } else { paths.strongest.len() };
        assert_eq!(rows, expected, "{param}");
    }
    for step in 1..=browser.eval("steps.length").as_u64().unwrap() {
        browser.open(&path, &format!("#step={step}"));
        assert!(!browser.text("#talk").contains("NaN"), "step {step}");
    }
    assert_eq!(browser.complaints(), Vec::<Value>::new());
}

#[test]
fn a_worksheet_is_filled_in_and_checked() {
    let Some(browser) = Browser::start() else { return };
    let lab = Lab::new();
    lab.ok("worksheet --sizes 2-2-2 --seed 5 --format html --output sheet.html");
    browser.open(&lab.path("sheet.html"), "");
    // A right answer as a student rounds it, a wrong one, the others empty.
    browser.eval(
        "(() => { const blanks = document.querySelectorAll('input');
           blanks[0].value = Number(blanks[0].dataset.answer).toFixed(4).replace('-', '−');
           blanks[1].value = '17'; return 1; })()",
    );
    browser.click("#check");
    let all = browser.eval("document.querySelectorAll('input').length").as_u64().unwrap();
    assert_eq!(browser.text("#score"), format!("1 of {all} right, 1 wrong, {} empty", all - 2));
    let shown = "getComputedStyle(document.getElementById('key')).display !== 'none'";
    assert_eq!(browser.eval(shown), false);
    browser.click("#toggle");
    assert_eq!(browser.eval(shown), true);
    // Every answer of the key, typed as it stands there, is right.
    browser.eval(
        "(() => { const key = [...document.querySelectorAll('#key .matrix > span')];
           const digits = s => s.innerHTML.replace(/ · 10<sup>(.*)<\\/sup>/, 'e$1').replaceAll('−', '-');
           document.querySelectorAll('input').forEach((blank, i) => blank.value = digits(key[i]));
           return 1; })()",
    );
    browser.click("#check");
    assert_eq!(browser.text("#score"), format!("{all} of {all} right, 0 wrong, 0 empty"));
    assert_eq!(browser.complaints(), Vec::<Value>::new());
}
