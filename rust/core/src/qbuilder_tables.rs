//! The rules of the extractor `qbuilder/1`. The types of files are not here: Python finds them.
//!
//! Written by `rust/tools/make_extractor_tables.py` from `src/ck3parse/extractors/qbuilder.toml`.

use crate::qbuilder::Reference;

/// The type of files with faiths, the block that contains them, and their type.
pub(crate) const FAITHS_FILE: &str = "religion";
pub(crate) const FAITHS_CONTAINER: &str = "faiths";
pub(crate) const FAITH: &str = "faith";

/// The type of files with titles in titles, their type, and how many levels of them count.
pub(crate) const TITLES_FILE: &str = "title";
pub(crate) const TITLE: &str = "title";
pub(crate) const TITLE_LEVELS: usize = 6;

/// Names that are no symbols, sorted.
#[rustfmt::skip]
pub(crate) static NO_NAMES: [&str; 55] = [
    "AND",
    "NAND",
    "NOR",
    "NOT",
    "OR",
    "artifacts",
    "assets",
    "atlas",
    "audio_culture",
    "bloom_scale",
    "bloom_width",
    "bright_threshold",
    "camera",
    "category",
    "character",
    "characters",
    "cubemap",
    "cubemap_intensity",
    "default_camera",
    "effect",
    "else",
    "environment",
    "exposure",
    "exposure_function",
    "fallback",
    "false",
    "first_valid",
    "game_object_locator",
    "if",
    "layer",
    "lights",
    "limit",
    "macro",
    "modifier",
    "namespace",
    "no",
    "none",
    "null",
    "object",
    "pattern_layout",
    "pattern_textures",
    "posteffect_values",
    "random_valid",
    "scripted_effect",
    "scripted_trigger",
    "shadows_fade",
    "shadows_strength",
    "support_type",
    "tonemap_function",
    "trigger",
    "true",
    "variation",
    "visual_culture_level",
    "war",
    "yes",
];

/// The keys that make references, sorted.
#[rustfmt::skip]
pub(crate) static REFERENCES: [Reference; 47] = [
    reference("activity_type", "activity", false),
    reference("add_artifact", "artifact", false),
    reference("add_building", "building", false),
    reference("add_law", "law", false),
    reference("add_perk", "perk", false),
    reference("add_trait", "trait", false),
    reference("building", "building", false),
    reference("can_have_tradition", "tradition", false),
    reference("casus_belli", "cb_type", false),
    reference("cb_type", "cb_type", false),
    reference("create_artifact", "artifact", false),
    reference("create_title_and_vassal_change", "title", false),
    reference("culture", "culture", false),
    reference("faith", "faith", false),
    reference("focus", "focus", false),
    reference("government_type", "government", false),
    reference("has_activity_type", "activity", false),
    reference("has_artifact", "artifact", false),
    reference("has_building", "building", false),
    reference("has_building_or_higher", "building", false),
    reference("has_cb", "cb_type", false),
    reference("has_culture", "culture", false),
    reference("has_focus", "focus", false),
    reference("has_government", "government", false),
    reference("has_law", "law", false),
    reference("has_lifestyle", "lifestyle", false),
    reference("has_perk", "perk", false),
    reference("has_religion", "religion", false),
    reference("has_title", "title", false),
    reference("has_tradition", "tradition", false),
    reference("has_trait", "trait", false),
    reference("lifestyle", "lifestyle", false),
    reference("perk", "perk", false),
    reference("random_events_list", "event", false),
    reference("religion", "religion", false),
    reference("remove_trait", "trait", false),
    reference("run_interaction", "interaction", false),
    reference("run_scripted_effect", "scripted_effect", true),
    reference("run_scripted_trigger", "scripted_trigger", true),
    reference("scheme_type", "scheme", false),
    reference("scripted_effect", "scripted_effect", true),
    reference("scripted_trigger", "scripted_trigger", true),
    reference("set_focus", "focus", false),
    reference("start_scheme", "scheme", false),
    reference("title", "title", false),
    reference("trait", "trait", false),
    reference("trigger_event", "event", false),
];

const fn reference(key: &'static str, row_type: &'static str, params: bool) -> Reference {
    Reference {
        key,
        row_type,
        params,
    }
}
