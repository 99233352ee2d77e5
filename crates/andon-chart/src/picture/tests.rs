//! Charts of what was measured, and of what could be.

use super::*;

/// Errors that rise after the deploy, with a gap in the control.
fn errors() -> Picture {
    let at = |second: i64| Time(1_700_000_000_000 + second * 1000);
    let wobble = |n: i64| f64::from(u8::try_from(n * 37 % 11).unwrap()) / 10.0;
    Picture {
        title: "errors".into(),
        unit: "per second".into(),
        canary: (0..46)
            .map(|n| (at(n * 5), wobble(n) + if n > 20 { (n - 20) as f64 / 2.5 } else { 0.4 }))
            .collect(),
        control: (0..46)
            .filter(|n| !(30..35).contains(n))
            .map(|n| (at(n * 5), wobble(n + 3) + 0.5))
            .collect(),
        deploy: at(95),
        verdict: at(215),
        sentence: "errors on web7 were 9.6 × the old release (at least 4.1 ×), 41 of 2,210 requests".into(),
    }
}

#[test]
fn a_chart_names_its_axes_lines_and_moments() {
    let svg = svg(&errors(), &TimeZone::UTC).unwrap();
    for named in
        ["errors (per second)", "9.6 × the old", ">new<", ">old<", "deploy 22:14:55", "verdict 22:16:55"]
    {
        assert!(svg.contains(named), "{named}: {svg}");
    }
    assert_eq!(
        svg.matches("stroke=\"#0072b2\"").count(),
        3,
        "a gap parts the line, and its name has a sample"
    );
}

#[test]
fn a_chart_is_painted() {
    let png = png(&errors()).unwrap();
    assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
    assert!(png.len() > 5_000, "letters and lines take more than {} bytes", png.len());
    if let Some(path) = std::env::var_os("ANDON_CHART") {
        std::fs::write(path, png).unwrap();
    }
}

#[test]
fn whatever_was_measured_is_drawn_or_nothing_is() {
    let none = Picture { canary: Vec::new(), control: vec![(Time(0), f64::NAN)], ..errors() };
    assert_eq!(png(&none), None);
    let odd = [
        Picture {
            canary: vec![(Time(0), 0.0)],
            control: Vec::new(),
            deploy: Time(0),
            verdict: Time(0),
            ..errors()
        },
        Picture { canary: vec![(Time(i64::MIN), -1e308), (Time(i64::MAX), 1e308)], ..errors() },
        Picture { title: "<&\u{1b}\u{10348}".repeat(200), sentence: "word ".repeat(500), ..errors() },
        Picture { deploy: Time(i64::MAX), verdict: Time(i64::MIN), ..errors() },
    ];
    for picture in odd {
        let drawn = svg(&picture, &TimeZone::UTC).unwrap();
        assert!(!drawn.contains("NaN") && !drawn.contains('\u{1b}') && !drawn.contains("<&"), "{drawn}");
        assert!(png(&picture).is_some());
    }
}
