"""A small playset with a conflict of each rule: a game and two mods."""

from pathlib import Path

FILES: dict[str, dict[str, str]] = {
    "game": {
        "checksum_manifest.txt": "",
        "common/traits/00_traits.txt": """
brave = {
\ticon = brave.dds
\topposites = { craven }
\tmartial = 2
}
craven = { martial = -2 }
same = { a = 1 b = { c = d } }
only_the_game_has_it = { a = b }
twice_in_the_game = { a = 1 }
twice_in_the_game = { a = 2 }
""",
        "common/traits/10_replaced.txt": "patient = { a = 1 }\n",
        "common/traits/20_equal.txt": "calm = { a = 1 }\n",
        "common/defines/00_defines.txt": "NGame = { START_DATE = 867.1.1 MAX = 1 }\n",
        "common/on_action/yearly.txt": """
yearly = {
\tevents = { feast.1 }
\ttrigger = { always = yes }
\teffect = { add_gold = 1 }
}
""",
        "common/landed_titles/00_titles.txt": """
e_rome = {
\tk_italy = {
\t\td_latium = { c_roma = { b_roma = { province = 1 } } }
\t}
}
""",
        "common/religion/religions/00_norse.txt": """
norse = { faiths = { asatru = { color = { 1 0 0 } } } }
""",
        "common/scripted_effects/00_effects.txt": "my_effect = { add_gold = 10 }\n",
        "common/decisions/dropped.txt": "old_decision = { a = b }\n",
        "common/decisions/sub/kept.txt": "kept_decision = { a = b }\n",
        "events/feast.txt": """
namespace = feast
feast.1 = { immediate = { my_effect = yes } option = { trigger = { has_trait = brave } } }
""",
        "history/characters/00_norse.txt": "100 = { name = Ragnar culture = culture:norse }\n",
        "history/titles/k_italy.txt": "k_italy = { 867.1.1 = { holder = 100 } }\n",
        "gui/window.gui": """
types Buttons {
\ttype my_button = button { size = { 1 1 } }
}
template my_template { size = { 1 1 } }
""",
    },
    "mod_a": {
        "descriptor.mod": 'name="Fair Play"\nreplace_path="common/decisions"\n',
        "common/traits/05_fair.txt": """
# Only the second of these differs from the game's.
brave = { # a comment
\ticon = brave.dds
\topposites = { craven shy }
\tmartial = 3
}
same = {
\ta = 1 b = { c = d }   # the same
}
""",
        "common/traits/10_replaced.txt": "patient = { a = 2 }\n",
        "common/traits/20_equal.txt": "calm = { a = 1 }\n",
        "common/defines/99_fair.txt": "NGame = { MAX = 2 }\n",
        "common/on_action/fair.txt": """
yearly = {
\tevents = { feast.2 }
\ttrigger = { always = no }
}
""",
        "events/fair.txt": """
namespace = feast
feast.1 = { immediate = { add_gold = 1 } }
feast.2 = { immediate = { my_effect = yes } }
""",
        "history/characters/99_fair.txt": "100 = { name = Bjorn }\n",
        "history/titles/zz_fair.txt": "k_italy = { 900.1.1 = { holder = 0 } }\n",
        "gui/zz_fair.gui": """
types Buttons {
\ttype my_button = button { size = { 2 2 } }
}
template my_template { size = { 2 2 } }
""",
    },
    "mod_b": {
        "descriptor.mod": 'name="Grand <Titles>"\n',
        "common/traits/zz_grand.txt": "brave = { icon = grand.dds martial = 3 }\n",
        "common/landed_titles/zz_grand.txt": """
d_latium = { c_roma = { b_roma = { province = 2 } } }
""",
        "common/religion/religions/zz_grand.txt": """
other = { faiths = { asatru = { color = { 0 1 0 } } } }
""",
    },
}
"""By folder and path. `brave` is defined three times."""

ORDER = list(FILES)
NAMES = {"game": "game", "mod_a": "Fair Play", "mod_b": "Grand <Titles>"}


def make_playset(folder: Path) -> list[Path]:
    """Write the playset into a folder, and return its parts in load order."""
    for part, files in FILES.items():
        for name, text in files.items():
            path = folder / part / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return [folder / part for part in ORDER]
