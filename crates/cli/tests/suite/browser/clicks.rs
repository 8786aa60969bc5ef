//! What a click or a key shows.

use chainrule::Model;
use serde_json::Value;

use super::driver::Browser;
use crate::common::{Lab, classes_csv};

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
