//! A mail as HTML: plain tables and inline styles, as mail programs understand them. No script, nothing loaded from afar.

use super::Telling;
use crate::legible::{neutral, one_line};

const FONT: &str = "font:15px/1.5 -apple-system,'Segoe UI',Helvetica,Arial,sans-serif;color:#1a1a1a";
const CODE: &str = "font:13px/1.5 ui-monospace,Menlo,Consolas,monospace";
const HEADING: &str = "margin:24px 0 4px;font-size:13px;color:#555";

impl Telling {
    /// The mail as HTML. `picture` is the content id of the picture that travels with it.
    pub fn html(&self, picture: Option<&str>) -> String {
        let mut page = format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"></head>\n\
             <body style=\"margin:0;padding:24px;background:#ffffff\"><div style=\"max-width:760px;{FONT}\">\n\
             <p style=\"margin:0 0 8px;font-size:18px;font-weight:600\">{}</p>\n<p style=\"margin:0 0 16px\">{}</p>\n",
            escape(&one_line(&self.headline)),
            escape(&one_line(&self.done)),
        );
        page.push_str("<table style=\"border-collapse:collapse\">\n");
        for (label, row) in self.rows() {
            page.push_str(&format!(
                "<tr><td style=\"padding:2px 16px 2px 0;color:#555;vertical-align:top\">{label}</td>\
                 <td style=\"padding:2px 0\">{}</td></tr>\n",
                escape(&row)
            ));
        }
        page.push_str("</table>\n");
        if let Some(seen) = &self.picture {
            let sentence = escape(&one_line(&seen.sentence));
            page.push_str(&format!(
                "<p style=\"{HEADING}\">What was seen</p>\n<p style=\"margin:0 0 8px\">{sentence}</p>\n"
            ));
            if let Some(cid) = picture {
                page.push_str(&format!(
                    "<img src=\"cid:{}\" alt=\"{sentence}\" width=\"720\" style=\"max-width:100%;height:auto\">\n",
                    escape(cid)
                ));
            }
        }
        if let Some((host, output)) = &self.output {
            page.push_str(&format!(
                "<p style=\"{HEADING}\">What {host} said last</p>\n\
                 <pre style=\"margin:0;padding:12px;background:#f4f4f4;white-space:pre-wrap;{CODE}\">{}</pre>\n",
                escape(&neutral(output.as_bytes()))
            ));
        }
        if !self.next.is_empty() {
            page.push_str(&format!("<p style=\"{HEADING}\">What to do next</p>\n"));
            for next in &self.next {
                page.push_str(&format!(
                    "<p style=\"margin:0 0 4px;{CODE}\">{}</p>\n",
                    escape(&one_line(next))
                ));
            }
        }
        if let Some(asked) = &self.asked {
            page.push_str(&format!("<p style=\"{HEADING}\">{}</p>\n", escape(&one_line(asked))));
        }
        page.push_str("</div></body></html>\n");
        page
    }
}

fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}
