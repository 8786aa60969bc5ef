//! A browser that tests drive.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

pub(super) const OPTIONS: [&str; 9] = [
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

pub(super) fn chromium() -> Option<PathBuf> {
    program(&["chromium", "chromium-browser", "google-chrome"])
}

/// A browser driven by the WebDriver protocol; it ends when this is dropped.
pub(super) struct Browser {
    driver: Child,
    session: String,
    agent: ureq::Agent,
    _profile: tempfile::TempDir,
}

impl Browser {
    pub(super) fn start() -> Option<Self> {
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

    pub(super) fn open(&self, path: &Path, fragment: &str) {
        // From another page, so that the fragment is read anew.
        self.ask("url", json!({ "url": "about:blank" }));
        self.ask("url", json!({ "url": format!("file://{}{fragment}", path.display()) }));
    }

    /// The value of an expression in the page.
    pub(super) fn eval(&self, expression: &str) -> Value {
        self.ask("execute/sync", json!({ "script": format!("return {expression}"), "args": [] }))
    }

    /// The number in a `data` element.
    pub(super) fn number(&self, id: &str) -> f64 {
        let value = self.eval(&format!("document.getElementById('{id}')?.value"));
        let text = value.as_str().unwrap_or_else(|| panic!("no number {id}"));
        text.parse().unwrap()
    }

    pub(super) fn text(&self, selector: &str) -> String {
        let text = self.eval(&format!("document.querySelector(`{selector}`).textContent"));
        text.as_str().unwrap().to_owned()
    }

    /// A click of the mouse in the middle of an element.
    pub(super) fn click(&self, selector: &str) {
        let found = self.ask("element", json!({ "using": "css selector", "value": selector }));
        let id = found.as_object().unwrap().values().next().unwrap().as_str().unwrap();
        self.ask(&format!("element/{id}/click"), json!({}));
    }

    /// A click of the mouse on a line of the drawing, near its beginning, where no other crosses it.
    pub(super) fn click_line(&self, name: &str) {
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
    pub(super) fn key(&self, key: &str) {
        let actions =
            [json!({ "type": "keyDown", "value": key }), json!({ "type": "keyUp", "value": key })];
        let source = json!({ "type": "key", "id": "keyboard", "actions": actions });
        self.ask("actions", json!({ "actions": [source] }));
    }

    /// What the page complained about.
    pub(super) fn complaints(&self) -> Vec<Value> {
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
