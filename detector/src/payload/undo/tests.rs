use proptest::prelude::*;

use super::*;
use crate::cpu_time::cpu_time;

fn forms(text: &str) -> Forms {
    forms_of(text, &mut WorkBudget::default())
}

#[test]
fn encodings_are_undone_in_layers() {
    let check = |text: &str, expected: &str, undone: u16| {
        let forms = forms(text);
        assert_eq!(forms.decoded.as_deref(), Some(expected), "{text}");
        assert_eq!(forms.undone.0 & undone, undone, "{text}: {:?}", forms.undone.names().collect::<Vec<_>>());
        assert_eq!(forms.raw, text);
    };
    check("%27 or 1=1", "' or 1=1", Undone::PERCENT);
    check("%2527", "'", Undone::PERCENT | Undone::PERCENT_AGAIN);
    check("%%32%37", "'", Undone::PERCENT | Undone::PERCENT_AGAIN);
    check("%u0027%U003cscript%uFF1E", "'<script>", Undone::PERCENT_UNICODE | Undone::LOOK_ALIKES);
    check("%uD83D%uDE00%41", "😀A", Undone::PERCENT_UNICODE);
    check("..%c0%af..%c0%afetc", "../../etc", Undone::OVERLONG);
    check("..\u{c0}\u{af}etc", "../etc", Undone::OVERLONG);
    check("..%e0%80%af%f0%80%80%afetc", "..//etc", Undone::OVERLONG);
    check("%c1%9c", "\\", Undone::OVERLONG);
    check("caf%E9 %C3%A9", "café é", Undone::PERCENT);
    check("&lt;script&gt", "<script>", Undone::ENTITIES);
    check("&#x3c;img&#0000062 &#39&quot;&colon;", "<img> '\":", Undone::ENTITIES);
    check("%26%23x27%3B", "'", Undone::PERCENT | Undone::ENTITIES);
    check(r"\u0027\x3c\/\u{3e}\47\'", "'</>''", Undone::ESCAPES);
    check(r"java\0script:\x00", "javascript:", Undone::ESCAPES | Undone::NUL);
    check(r"\ud83d\ude00\r\nSet-Cookie: a", "😀\r\nSet-Cookie: a", Undone::ESCAPES);
    check("JyBvciAxPTEgLS0gJyBvcg==", "' or 1=1 -- ' or", Undone::BASE64);
    check("eval(base64_decode('c3lzdGVtKCdpZCcpOw'))", "eval(base64_decode('system('id');'))", Undone::BASE64);
    check("UN\0ION\u{a0}SEL\u{200b}ECT\t1", "UNION SELECT 1", Undone::NUL | Undone::BLANKS);
    check("＜ｓcript＞ 𝓊𝓃ion ①", "<script> union 1", Undone::LOOK_ALIKES);
}

#[test]
fn what_hides_a_text_is_taken_out() {
    let check = |text: &str, expected: &str, undone: u16| {
        let forms = forms(text);
        assert_eq!(forms.stripped.as_deref(), Some(expected), "{text}");
        assert_eq!(forms.undone.0 & undone, undone, "{text}: {:?}", forms.undone.names().collect::<Vec<_>>());
    };
    check("1/**/union/*x*/select", "1 union select", Undone::COMMENTS);
    check("1 /*!50000union*//*!select*/ 2", "1 union select 2", Undone::COMMENTS | Undone::BLANKS);
    check("1--abc\nunion#x\nselect", "1 union select", Undone::COMMENTS);
    check("<scr<!-- x -->ipt>", "<script>", Undone::COMMENTS);
    check("'ad'||'min'", "'admin'", Undone::CONCATENATION);
    check("'ad' + 'min'", "'admin'", Undone::CONCATENATION);
    check("\"sys\".\"tem\"", "\"system\"", Undone::CONCATENATION);
    check("CONCAT('a','b', 'c'),'d'", "CONCAT('abc'),'d'", Undone::CONCATENATION);
    check("char(97,0x62)+CHR(99)", "'abc'", Undone::CODE_POINTS | Undone::CONCATENATION);
    check("eval(String.fromCharCode(97))", "eval('a')", Undone::CODE_POINTS);
    check("1%L%I%K%E%N 2%x", "1LIKEN 2x", Undone::PERCENT);
    check("=0x61646d696e", "='admin'", Undone::CODE_POINTS);
    check("${${::-j}${lower:N}di:${env:x:-l}dap://x}", "${jNdi:ldap://x}", Undone::LOOKUPS);
    check("c''at${IFS}/e\\tc", "cat /etc", Undone::SHELL);
    check("a  b", "a b", Undone::BLANKS);
    check("%2f**%2f'a'%2b'b'", " 'ab'", Undone::PERCENT | Undone::COMMENTS | Undone::CONCATENATION);
}

#[test]
fn ordinary_texts_have_one_form() {
    for text in [
        "",
        "red shoes",
        "O'Brien & Sons",
        "100% cotton, 50 % off",
        "C:\\new\\table",
        "2026-11-25T01:00:00Z",
        "https://shop.example/a?b=c&d=e",
        "f(x) = 3 + 4, 0xff00ff",
        "internationalization-of-documents",
        "Überraschung für 5 €",
        "I said \"yes\", 'no'",
        "9f86d081884c7d659a2feaa0c55ad015",
        "AKIAIOSFODNN7EXAMPLEKEY",
    ] {
        let forms = forms(text);
        assert_eq!((&forms.decoded, &forms.stripped), (&None, &None), "{text}");
    }
}

#[test]
fn layers_and_budget_end() {
    let deep = format!("%{}27", "25".repeat(20));
    let decoded = forms(&deep).decoded.unwrap();
    assert_eq!(decoded, format!("%{}27", "25".repeat(20 - limits::DECODING_LAYERS_MAX)));
    let mut budget = WorkBudget::default();
    while budget.take_bytes(4096) {}
    assert_eq!(forms_of(&"%27".repeat(2000), &mut budget).decoded, None);
}

/// Texts that make each pass look again and again.
#[test]
fn work_is_linear() {
    for part in [
        "/*",
        "/*!",
        "<!--",
        "--",
        "#",
        "${",
        "${a",
        "char(",
        "char(1,",
        "0x6",
        "'+",
        "&#x",
        "\\u",
        "%u",
        "\u{f0}\u{80}",
        "concat(",
    ] {
        let time = |count: usize| {
            let text = part.repeat(count);
            let began = cpu_time();
            for decoder in DECODERS.into_iter().chain(STRIPPERS) {
                let _ = decoder(&text);
            }
            cpu_time() - began
        };
        time(1000);
        let (short, long) = (time(4_000), time(128_000));
        // 32 times the text may cost 32 times the time; a quadratic pass would need 1,000 times.
        assert!(long < short * 200 + std::time::Duration::from_millis(50), "{part}: {short:?} {long:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn any_text_has_bounded_forms(text in "\\PC{0,200}|[%u0-9a-fA-F&#x;\\\\/*!'\"+|.,()${}:\\-\u{c0}\u{af}\u{80} \n\0]{0,120}") {
        let forms = forms(&text);
        prop_assert_eq!(&forms.raw, &text);
        for form in forms.texts() {
            prop_assert!(form.len() <= text.len() + 1, "{form:?} of {text:?}");
        }
    }

    #[test]
    fn whatever_is_encoded_comes_back(text in "[a-z'<>= ]{1,40}") {
        let percent: String = text.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let twice = percent.replace('%', "%25");
        let entities: String = text.bytes().map(|byte| format!("&#{byte};")).collect();
        let escapes: String = text.bytes().map(|byte| format!("\\u{:04x}", byte)).collect();
        for encoded in [percent, twice, entities, escapes] {
            let forms = forms(&encoded);
            prop_assert_eq!(forms.decoded.as_ref(), Some(&text));
        }
    }
}
