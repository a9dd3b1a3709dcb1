"""Python in whatever form a model sends it."""

import json

import pytest

from ossia.tools.source import read_source

CODE = "x = {'a': 1}\nprint(x['a'])"


@pytest.mark.parametrize(
    "sent",
    [
        CODE,
        f"```python\n{CODE}\n```",
        f"```\n{CODE}\n```\n",
        f"\n```py\n{CODE}```",
        json.dumps({"code": CODE}),
        json.dumps({"script": CODE}, indent=2),
        json.dumps({"code": f"```python\n{CODE}\n```"}),
        f"```json\n{json.dumps({'code': CODE})}\n```",
        json.dumps(json.dumps({"code": CODE})),
    ],
)
def test_the_code_is_found(sent: str) -> None:
    assert read_source(sent) == CODE


@pytest.mark.parametrize(
    "code",
    [
        "",
        "{}",
        "{'code': 'x'}",
        '{"a": 1}',
        '{"code": 1}',
        '{"code": "x", "y": z}',
        '{"n": 1, **{}}',
        '"a string"',
        '"""a\ndocstring"""\nx = 1',
        "s = '''\n```python\nx\n```\n'''",
        "```python\na = 1\n```\nand then\n```python\nb = 2\n```",
        "    indented = 1",
        "[1, 2]",
    ],
)
def test_other_text_is_taken_as_it_is(code: str) -> None:
    assert read_source(code) == code
