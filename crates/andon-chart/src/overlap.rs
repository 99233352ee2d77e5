//! For tests: whether texts of a drawing touch each other or leave the paper, measured with the letters that charts have.

use crate::drawing::{Chart, Drawing, Item, Text};

/// All texts, those inside of groups included.
fn texts(drawing: &Drawing) -> Vec<&Text> {
    fn within<'a>(items: &'a [Item], found: &mut Vec<&'a Text>) {
        for item in items {
            match item {
                Item::Text(text) => found.push(text),
                Item::Group(group) => within(&group.items, found),
                Item::Line(..) | Item::Area { .. } | Item::Sign { .. } => {}
            }
        }
    }
    let mut found: Vec<&Text> = drawing.texts.iter().collect();
    within(&drawing.items, &mut found);
    found
}

/// Fails where two texts touch, or one leaves the paper.
pub(crate) fn check(chart: &Chart) {
    let drawing = &chart.drawing;
    let texts: Vec<&Text> = texts(drawing).into_iter().filter(|text| !text.text.is_empty()).collect();
    let sides = |text: &Text| (text.start(), text.end(), text.y - text.size * 0.74, text.y + text.size * 0.2);
    let boxes: Vec<(f32, f32, f32, f32)> = texts.iter().map(|text| sides(text)).collect();
    for (n, (one, (left, right, top, bottom))) in texts.iter().zip(&boxes).enumerate() {
        assert!(
            *left >= -0.5 && *right <= drawing.width + 0.5 && *top >= -0.5 && *bottom <= drawing.height + 0.5,
            "{:?} leaves the paper of {} × {}: {one:?}",
            chart.title,
            drawing.width,
            drawing.height
        );
        for (other, (other_left, other_right, other_top, other_bottom)) in
            texts.iter().zip(&boxes).skip(n + 1)
        {
            let apart =
                right <= other_left || other_right <= left || bottom <= other_top || other_bottom <= top;
            assert!(apart, "{:?}: {:?} and {:?} touch: {one:?} {other:?}", chart.title, one.text, other.text);
        }
    }
    let svg = chart.svg();
    assert!(!svg.contains("NaN") && !svg.contains("inf\"") && !svg.contains("inf,"), "{svg}");
}
