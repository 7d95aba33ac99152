"""A number with its noun."""


def plural(number: int, one: str, many: str = "") -> str:
    """`1 delivery`, `2,000 deliveries`; `many` only where the rule of -s, -es and -ies fails."""
    return f"{number:,} {noun(number, one, many)}"


def noun(number: int, one: str, many: str = "") -> str:
    """The noun alone, for a number that stands elsewhere."""
    if one.endswith("y") and one[-2:-1] not in "aeiou":
        many = many or one[:-1] + "ies"
    ending = "es" if one.endswith(("s", "x", "ch", "sh")) else "s"
    return one if number == 1 else many or one + ending
