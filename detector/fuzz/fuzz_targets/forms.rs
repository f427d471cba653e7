//! Encodings of any value are undone without a panic, and no form is longer than the value.
#![no_main]

use apiward_detector::payload::undo::forms_of;
use apiward_detector::work::WorkBudget;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let forms = forms_of(text, &mut WorkBudget::default());
    assert_eq!(forms.raw, text);
    assert!(forms.texts().all(|form| form.len() <= text.len() + 1));
});
