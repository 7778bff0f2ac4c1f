//! One script out of modules, so that a page loads one file and needs no build.
//!
//! The modules of `client-js/src` are written for this: each import and each export stands on one
//! line, and no two modules declare the same name at their top. `tests/client_js.rs` holds them to it.

/// A module, in the order in which they build on each other.
pub(super) type Source = &'static str;

/// A module script: what the last module exports stays exported. Imports from `kept` stay, too.
pub(super) fn module(sources: &[Source], kept: Option<&str>) -> String {
    let (last, inner) =
        sources.split_last().map_or(("", [].as_slice()), |(last, rest)| (*last, rest));
    let mut script = String::new();
    let lines = inner.iter().flat_map(|source| source.lines().filter_map(inner_line));
    let last = last
        .lines()
        .filter(|line| !is_import(line) || kept.is_some_and(|from| line.contains(from)));
    for line in lines.chain(last) {
        script.push_str(line);
        script.push('\n');
    }
    script
}

/// A classic script: nothing of it is seen from outside but what it puts there itself.
pub(super) fn classic(sources: &[Source]) -> String {
    let mut script = String::from("(function () {\n\"use strict\";\n");
    for line in sources.iter().flat_map(|source| source.lines().filter_map(inner_line)) {
        script.push_str(line);
        script.push('\n');
    }
    script.push_str("})();\n");
    script
}

/// A line of a module that others build on, as it stands within the one script.
fn inner_line(line: &str) -> Option<&str> {
    (!is_import(line)).then(|| line.strip_prefix("export ").unwrap_or(line))
}

fn is_import(line: &str) -> bool {
    line.starts_with("import ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const INNER: &str = "// one\nexport class One {}\nconst two = 2;\n";
    const OUTER: &str = "import { One } from \"./one.js\";\nimport { Far } from \"./far.js\";\n\
                         use(One);\nexport { One };\n";

    #[test]
    fn a_module_exports_what_its_last_source_does() {
        let script = module(&[INNER, OUTER], None);
        assert_eq!(script, "// one\nclass One {}\nconst two = 2;\nuse(One);\nexport { One };\n");
        let script = module(&[INNER, OUTER], Some("./far.js"));
        assert!(script.contains("import { Far } from \"./far.js\";\nuse(One);"), "{script}");
        assert!(!script.contains("./one.js"), "{script}");
    }

    #[test]
    fn a_classic_script_keeps_everything_to_itself() {
        let script = classic(&[INNER]);
        assert_eq!(
            script,
            "(function () {\n\"use strict\";\n// one\nclass One {}\nconst two = 2;\n})();\n"
        );
    }
}
