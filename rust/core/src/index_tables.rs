//! How the extractor `ck3/1` finds definitions. Python finds the rule of a file.
//!
//! Written by `rust/tools/make_extractor_tables.py` from `src/ck3parse/extractors/ck3.toml`.

use crate::index::{Declared, Finder, Nested};

/// The tables `find`, by name.
#[rustfmt::skip]
pub(crate) static FINDERS: [(&str, Finder); 13] = [
    ("nothing", Finder {
        top: false,
        not_names: &[],
        nested: &[],
        chained: &[],
        declared: &[],
        named: "",
    }),
    ("top", Finder {
        top: true,
        not_names: &[],
        nested: &[],
        chained: &[],
        declared: &[],
        named: "",
    }),
    ("colors", Finder {
        top: false,
        not_names: &[],
        nested: &[
            Nested { depth: 1, containers: &["colors"], names: &[], prefixes: &[], not_names: &[], kind: "", joined: false, values: true },
        ],
        chained: &[],
        declared: &[],
        named: "",
    }),
    ("defines", Finder {
        top: false,
        not_names: &[],
        nested: &[
            Nested { depth: 1, containers: &[], names: &[], prefixes: &[], not_names: &[], kind: "", joined: true, values: true },
        ],
        chained: &[],
        declared: &[],
        named: "",
    }),
    ("on_actions", Finder {
        top: true,
        not_names: &[],
        nested: &[
            Nested { depth: 1, containers: &[], names: &["trigger", "effect"], prefixes: &[], not_names: &[], kind: "on_action_part", joined: true, values: false },
        ],
        chained: &[],
        declared: &[],
        named: "",
    }),
    ("faiths", Finder {
        top: true,
        not_names: &[],
        nested: &[
            Nested { depth: 2, containers: &["faiths"], names: &[], prefixes: &[], not_names: &[], kind: "faith", joined: false, values: false },
        ],
        chained: &[],
        declared: &[],
        named: "",
    }),
    ("doctrines", Finder {
        top: true,
        not_names: &[],
        nested: &[
            Nested { depth: 1, containers: &[], names: &[], prefixes: &["doctrine_", "special_doctrine_", "tenet_"], not_names: &[], kind: "doctrine", joined: false, values: false },
        ],
        chained: &[],
        declared: &[],
        named: "",
    }),
    ("laws", Finder {
        top: true,
        not_names: &[],
        nested: &[
            Nested { depth: 1, containers: &[], names: &[], prefixes: &[], not_names: &["can_change_law", "modifier", "potential"], kind: "law", joined: false, values: false },
        ],
        chained: &[],
        declared: &[],
        named: "",
    }),
    ("genes", Finder {
        top: false,
        not_names: &[],
        nested: &[
            Nested { depth: 1, containers: &["accessory_genes", "age_presets", "color_genes", "morph_genes"], names: &[], prefixes: &[], not_names: &[], kind: "", joined: false, values: false },
            Nested { depth: 2, containers: &["accessory_genes", "morph_genes"], names: &[], prefixes: &[], not_names: &[], kind: "", joined: false, values: false },
        ],
        chained: &[],
        declared: &[],
        named: "",
    }),
    ("template_lists", Finder {
        top: false,
        not_names: &[],
        nested: &[
            Nested { depth: 1, containers: &[], names: &[], prefixes: &[], not_names: &[], kind: "", joined: false, values: false },
        ],
        chained: &[],
        declared: &[],
        named: "",
    }),
    ("titles", Finder {
        top: false,
        not_names: &[],
        nested: &[],
        chained: &["b_", "c_", "d_", "e_", "h_", "k_"],
        declared: &[],
        named: "",
    }),
    ("events", Finder {
        top: true,
        not_names: &["namespace"],
        nested: &[],
        chained: &[],
        declared: &[
            Declared { word: "scripted_effect", kind: "local_scripted_effect", depth: 0, list: false },
            Declared { word: "scripted_trigger", kind: "local_scripted_trigger", depth: 0, list: false },
        ],
        named: "",
    }),
    ("gui", Finder {
        top: false,
        not_names: &[],
        nested: &[],
        chained: &[],
        declared: &[
            Declared { word: "type", kind: "gui_type", depth: 1, list: false },
            Declared { word: "template", kind: "gui_template", depth: 0, list: true },
            Declared { word: "local_template", kind: "local_gui_template", depth: 0, list: true },
        ],
        named: "gui_widget",
    }),
];
