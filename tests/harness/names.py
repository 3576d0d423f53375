"""Valid names: the shortest and the longest, early and late in the alphabet."""

import itertools
from typing import NamedTuple


class Resource(NamedTuple):
    """The singular and the plural name of a resource."""

    one: str
    many: str


ITEM = Resource("item", "items")
CATEGORY = Resource("category", "categories")
LONGEST_RESOURCE = Resource("manufacturing_order_line_entry", "manufacturing_order_line_entries")

RESOURCES = (
    ITEM,
    CATEGORY,
    LONGEST_RESOURCE,
    Resource("x", "xs"),
    Resource("order_line", "order_lines"),
    Resource("aardvark", "aardvarks"),
    Resource("zebra", "zebras"),
    Resource("a" * 30, "a" * 32),
    Resource("z" * 30, "z" * 32),
    Resource("w2", "a_b_c_d_e_f_g_h_i_j_k_l_m_n_o_p"),
)

LONGEST_SLUG = "customer-relationship-billing-service-x1"
SLUGS = ("my-service", "zz", LONGEST_SLUG, "a")

# Each resource with a slug: the longest with the longest, the shortest with the shortest.
NAMES = tuple(zip(RESOURCES, itertools.cycle(SLUGS)))

LONGEST_TEXTS = {
    "project_name": "N" * 60,
    "description": "word " * 39 + "words",
    "author_name": "A" * 80,
    "project_slug": "my-service",
}

# Every quote and escape, the special characters of Jinja, formats, shells, Markdown and markup, an
# emoji of several code points, and a script that is written from right to left.
HOSTILE_TEXT = "Ü \"q\" 'a' `b` \\n \\ {{ x }} {% raw %} {# %s ${HOME} $(id) <b>&amp; 👩‍🚀 שלום"
HOSTILE_TEXTS = {
    "project_name": HOSTILE_TEXT[:60],
    "description": f"{HOSTILE_TEXT} ''' \"\"\" ]]> | > # [x](y)",
    "author_name": f'O\'Neil "{{{{}}}}" {HOSTILE_TEXT}'[:80],
}
