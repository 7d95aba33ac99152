"""The linter of reviews: planted violations are caught, in Markdown and on a page."""

from __future__ import annotations

import pytest

from homing.review.blocks import (
    Code,
    Document,
    Paragraph,
    Pre,
    Source,
    Table,
    Unsourced,
    Value,
    line,
    quoted,
    text_of,
    values_of,
)
from homing.review.check import check
from homing.review.markdown import markdown
from homing.review.page import page

ANCHOR = '<a id="source-verify"></a>\n'


def document(*parts: object) -> Document:
    return Document(
        title=("A review",),
        blocks=(Paragraph(tuple(parts)),),  # type: ignore[arg-type]
        sources=(Source(name="verify", title="Proof", command="homing verify a b"),),
    )


def both(of: Document) -> tuple[str, str]:
    return markdown(of), page(of)


N = Value("2,000", "verify", "all.after.n")
ZERO = Value("0", "verify", "all.after.k")


@pytest.mark.parametrize(
    "text",
    [
        "The rate was 0.3%.",
        "It cost $8,000 a week.",
        "About ½ of them.",
        "- 300 deliveries",
        "| dropped | 300 |",
        "## 300 drops",
        "It was `0.3%` then.",
        "See [300 drops](https://example.org).",
        "It cost eight thousand dollars.",
        "Some three hundred deliveries were lost.",
        "[300](#source-investigate \"dropped\") drops",
        '[300](#source-verify "") drops',
    ],
)  # fmt: skip
def test_a_number_without_a_source_is_refused(text: str) -> None:
    assert check(ANCHOR + text), text


@pytest.mark.parametrize(
    "text",
    [
        'The rate was [0.3%](#source-verify "rate.value").',
        "Nothing but words.",
        "Run `homing verify --before 30/10000 --after 0/2000`.",
        "```\n30 of 10000\n```",
        "The delivery `msg_2.ep_7`.",
        "[the change](https://git.example/pull/7)",
    ],
)
def test_what_has_a_source_or_is_code_is_not(text: str) -> None:
    assert check(ANCHOR + text) == []


@pytest.mark.parametrize(
    "text",
    [
        "Since then zero drops.",
        "None of them was dropped.",
        "Nothing was lost.",
        "There were no drops after it.",
        "It ran without a drop.",
        '[0](#source-verify "all.after.k") drops.',
        '[0%](#source-verify "rate") were dropped. There were [9](#source-verify "n").',
        '| after | [0](#source-verify "all.after.k") |',
        '[0](#source-verify "k") of [0](#source-verify "n").',
    ],
)
def test_a_zero_without_its_n_is_refused(text: str) -> None:
    assert any("without its N" in one.text for one in check(ANCHOR + text)), text


@pytest.mark.parametrize("of", ["of", "in", "among"])
def test_a_zero_with_its_n_is_not(of: str) -> None:
    told = document(ZERO, f" {of} ", N, " deliveries were dropped.")
    assert [check(text) for text in both(told)] == [[], []]


def test_a_document_that_was_built_passes_and_any_change_by_hand_does_not() -> None:
    told = document(ZERO, " of ", N, " deliveries were dropped.")
    expected = {(one.source, one.path): {one.text} for one in values_of(told)}
    for text in both(told):
        assert check(text, expected) == []
        typed = text.replace("2,000", "9,000")
        assert check(typed) == []  # it has a source; only the source can tell
        assert "all.after.n of verify gives 2,000" in str(check(typed, expected)[0])
        by_hand = text.replace("deliveries", "deliveries, which cost 8,000 USD,")
        assert "'8,000' has no source" in str(check(by_hand)[0])


@pytest.mark.parametrize(
    "text",
    ["This was ana's fault.", "It was human error.", "He should have known.", "A careless change."],
)
def test_a_sentence_that_blames_is_refused(text: str) -> None:
    assert "what made it likely" in str(check(text)[0])


def test_code_ends_where_its_fence_does() -> None:
    fence = "```\n300 drops\n```\n"
    assert check(fence) == []
    assert check(fence + "300 drops")
    assert check("````\n```\n300\n````\n300 drops")[0].line == 5
    assert check("```\n``` 300\n```") == []
    hostile = Document(title=("x",), blocks=(Pre("```\n# out\n300 drops\n~~~~"),), sources=())
    assert check(markdown(hostile)) == []


def test_a_plot_a_script_and_a_picture_need_a_source_too() -> None:
    told = page(document("words"))
    for planted in (
        "<svg><text>0.3%</text></svg>",
        '<figure data-source="nowhere"><svg></svg></figure>',
        "<script>x</script>",
        '<img src="data:image/png;base64,AAAA">',
        "<p>0.3%</p>",
        "<p><code>0.3%</code></p>",
        "<p><sup>300</sup> drops</p>",
    ):
        assert check(told.replace("</body>", f"{planted}</body>")), planted
    fine = '<figure data-source="verify"><svg></svg></figure>'
    assert check(told.replace("</body>", f"{fine}</body>")) == []


def test_text_with_a_number_cannot_be_written_at_all() -> None:
    with pytest.raises(Unsourced):
        line("the rate was 0.3%")


def test_somebodys_own_words_keep_their_numbers_with_their_source() -> None:
    said = quoted("the lease is 10 s (not 30).", "record", "statements.0.text")
    assert text_of(said) == "the lease is 10 s (not 30)."
    assert [one.text for one in said if isinstance(one, Value)] == ["10", "30"]


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "a | b", "[x](y)", "`1`", '"><b>'])
def test_hostile_text_stays_text(text: str) -> None:
    value = Value(text, "verify", 'a"b')
    told = Document(
        title=quoted(text, "verify", "x"),
        blocks=(
            Paragraph((value, *quoted(text, "verify", "x"), Code(text))),
            Table(("a",), (((value,),),)),
        ),
        sources=(Source(name="verify", title=text, command=text, by=text),),
    )
    expected = {(one.source, one.path.replace('"', "'")): {one.text} for one in values_of(told)}
    expected |= {(one.source, one.path): {one.text} for one in values_of(told)}
    assert "<script>" not in page(told)
    assert "<b>" not in page(told)
    plain = [one for one in check(markdown(told), None) if "has no source" not in one.text]
    assert plain == []
