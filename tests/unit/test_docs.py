import re
from pathlib import Path

from backend.settings import Settings

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


class TestTheReadme:
    def test_has_every_setting_with_its_default_and_meaning(self) -> None:
        """The table of settings and the class of settings say the same, row by row."""
        rows = re.findall(r"^\| `(LAB_\w+)` \| (.*?) \| (.*?) \|$", README, re.MULTILINE)
        expected = []
        for name, field in Settings.model_fields.items():
            default = {True: "1", False: "0", None: ""}.get(field.default, str(field.default))
            expected.append((f"LAB_{name.upper()}", f"`{default}`" if default else "", field.description))
        assert rows == expected

    def test_names_every_make_target(self) -> None:
        """Each command of the Makefile is in the README, with the Makefile's words."""
        for name, words in re.findall(r"^(\w+):.*?## (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE):
            assert re.search(rf"make {name} +{re.escape(words)}", README), name

    def test_points_at_files_that_are_there(self) -> None:
        """No link or picture of the README leads nowhere."""
        targets = re.findall(r"\]\(([^)#]+)\)", README)
        assert targets
        assert [target for target in targets if "://" not in target and not (ROOT / target).exists()] == []
