//! The little HTML that the page is made of. Whatever goes through here is escaped once.

/// Text as HTML: for elements and for attributes in double quotes.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// Sentences with `code` in them; an empty line ends a paragraph.
pub fn prose(text: &str) -> String {
    let paragraphs = text.split("\n\n").map(str::trim).filter(|paragraph| !paragraph.is_empty());
    paragraphs.map(|paragraph| format!("<p>{}</p>", coded(paragraph))).collect()
}

/// Every second piece between backticks is code.
fn coded(text: &str) -> String {
    let pieces = text.split('`').enumerate();
    let piece = |(at, piece): (usize, &str)| {
        if at % 2 == 1 { format!("<code>{}</code>", escaped(piece)) } else { escaped(piece) }
    };
    pieces.map(piece).collect()
}

/// A row of a table, of cells that are HTML already.
pub fn row(cells: &[String]) -> String {
    let cells: String = cells.iter().map(|cell| format!("<td>{cell}</td>")).collect();
    format!("<tr>{cells}</tr>\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_becomes_markup() {
        let told = prose("a `<b>` & <script>\"'\n\nb");
        assert_eq!(told, "<p>a <code>&lt;b&gt;</code> &amp; &lt;script&gt;&quot;&#39;</p><p>b</p>");
    }
}
