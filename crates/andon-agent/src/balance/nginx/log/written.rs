//! What nginx writes is read as it was, whatever users send.

use proptest::prelude::*;

use super::format::Format;

/// As nginx writes a value that a user has sent.
fn escaped(text: &str, escape: &str) -> String {
    let letter = |letter: char| match (escape, letter) {
        ("json", '"' | '\\') => format!("\\{letter}"),
        ("json", letter) if (letter as u32) < 0x20 => format!("\\u{:04X}", letter as u32),
        ("default", '"' | '\\') => format!("\\x{:02X}", letter as u32),
        ("default", letter) if !(' '..='~').contains(&letter) => {
            letter.to_string().bytes().map(|byte| format!("\\x{byte:02X}")).collect()
        }
        (_, letter) => letter.to_string(),
    };
    let text: String = text.chars().map(letter).collect();
    if text.is_empty() && escape == "default" { "-".to_owned() } else { text }
}

/// One attempt after the other, as nginx joins them.
fn joined(values: &[String], groups: &[bool]) -> String {
    let mut text = String::new();
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            text += if groups.get(index) == Some(&true) { " : " } else { ", " };
        }
        text += value;
    }
    text
}

proptest! {
    #[test]
    fn what_nginx_writes_is_read_as_it_was(
        (layout, escape) in prop::sample::select(vec![
            (r#"$remote_addr - [$time_local] "$request" $status $body_bytes_sent "$http_referer" $upstream_addr $upstream_status $upstream_response_time"#, "default"),
            (r#"{"agent":"$http_referer","up":"$upstream_addr","us":"$upstream_status","s":"$status","r":"$request","ut":"$upstream_response_time"}"#, "json"),
            (r#"$upstream_addr|$upstream_status|$upstream_response_time|$status|"$request""#, "default"),
        ]),
        request in any::<String>(),
        referer in "[ -~é]{0,40}",
        attempts in prop::collection::vec((0..9_u8, 100..600_u16, 0..99_999_u32, any::<bool>()), 1..6),
        status in 100..600_u16,
    ) {
        let groups: Vec<bool> = attempts.iter().map(|attempt| attempt.3).collect();
        let addresses: Vec<String> = attempts.iter().map(|attempt| format!("10.0.0.{}:80", attempt.0)).collect();
        let statuses: Vec<String> = attempts.iter().map(|attempt| attempt.1.to_string()).collect();
        let times: Vec<String> =
            attempts.iter().map(|attempt| format!("{}.{:03}", attempt.2 / 1000, attempt.2 % 1000)).collect();
        let lists = [&addresses, &statuses, &times].map(|values| joined(values, &groups));
        let status = status.to_string();
        let mut line = layout.to_owned();
        for (name, value) in [
            // The longer names first: one begins with another.
            ("$upstream_addr", lists[0].as_str()), ("$upstream_status", &lists[1]),
            ("$upstream_response_time", &lists[2]), ("$status", &status), ("$remote_addr", "192.0.2.7"),
            ("$time_local", "21/Nov/2026:06:40:00 +0000"), ("$body_bytes_sent", "512"),
            // Last, for what users send may hold the name of a variable.
            ("$request", &escaped(&request, escape)),
        ] {
            line = line.replacen(name, value, 1);
        }
        if !line.contains("$http_referer") || request.contains("$http_referer") {
            // Nothing to fill in, or nobody could tell where.
            prop_assume!(!request.contains("$http_referer"));
        } else {
            line = line.replacen("$http_referer", &escaped(&referer, escape), 1);
        }
        let format = Format::new(layout, escape).unwrap();
        let found = format.read(&line);
        prop_assert!(found.is_some(), "{}", line);
        let found = found.unwrap();
        prop_assert_eq!(found.addresses, lists[0].as_str());
        prop_assert_eq!((found.statuses, found.times), (Some(lists[1].as_str()), Some(lists[2].as_str())));
        prop_assert_eq!(found.status, Some(status.as_str()));
    }
}
