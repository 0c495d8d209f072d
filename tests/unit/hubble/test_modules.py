"""ES modules as one script: run by a JavaScript engine where there is one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lab import shell
from lab.errors import InputError
from lab.hubble.ui.document import STATIC
from lab.hubble.ui.modules import bundle

needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="no JavaScript engine")


def write(directory: Path, **modules: str) -> Path:
    for name, text in modules.items():
        (directory / f"{name}.js").write_text(text)
    return directory / "entry.js"


@needs_node
def test_modules_keep_their_own_names(tmp_path: Path) -> None:
    entry = write(
        tmp_path,
        entry='import { value as first } from "./one.js";\nimport * as two from "./two.js";\n'
        "const hidden = 3;\nconsole.log(first, two.value(), new two.Thing().name, hidden);\n",
        one="const hidden = 1;\nexport const value = hidden;\n",
        two='import { value as one } from "./one.js";\nconst hidden = 2;\n'
        "export function value() {\n  return one + hidden;\n}\n"
        'export class Thing {\n  name = "thing";\n}\n',
    )
    script = tmp_path / "script.cjs"
    script.write_text(bundle(entry))
    assert shell.run(["node", str(script)]).out == "1 3 thing 3\n"


@needs_node
def test_a_minified_librarys_list_of_exports(tmp_path: Path) -> None:
    entry = write(
        tmp_path,
        entry='import { add as plus, one } from "./library.js";\nconsole.log(plus(one, one));\n',
        library="var a=(x,y)=>x+y,b=1;export{a as add,b as one,a as default};\n",
    )
    script = tmp_path / "script.cjs"
    script.write_text(bundle(entry))
    assert shell.run(["node", str(script)]).out == "2\n"


def test_a_module_is_taken_once_and_before_those_that_need_it() -> None:
    script = bundle(STATIC / "js" / "app.js")
    assert script.count("class FilterBox") == 1
    assert script.index("function el(") < script.index("class FilterBox")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('import value from "./one.js";', "cannot bundle 'import value from"),
        ('export * from "./one.js";', "cannot bundle 'export \\* from"),
        ("export default 1;", "cannot bundle 'export default 1;'"),
        ('import { a } from "./entry.js";', "entry.js imports itself"),
    ],
)
def test_what_it_does_not_understand_is_refused(tmp_path: Path, text: str, words: str) -> None:
    entry = write(tmp_path, entry=f"{text}\n", one="export const value = 1;\n")
    with pytest.raises(InputError, match=words):
        bundle(entry)
