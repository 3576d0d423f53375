"""Mutants of a generated resource, which its own generated tests have to see."""

from .mutant import PACKAGE, Mutant

FIELDS = (
    "code:string:20:unique,title:string:30:index,note:text:optional,count:integer:min=1:max=9:index"
    ",big:integer,total:decimal:12:2:min=0:index,share:decimal:9:8:optional,active:boolean:index"
    ",key:uuid:index:optional,due:date:index,seen:datetime:index:optional,status:enum:draft:paid:sent"
    ":index,data:json,parent:ref:items:optional,twin:ref:items:optional:unique"
)

ITEMS = f"{PACKAGE}/resources/items"
MODELS, SCHEMAS, ROUTES = (f"{ITEMS}/{name}.py" for name in ("models", "schemas", "routes"))
REVISION = f"{PACKAGE}/migrations/versions/0002_create_items.py"
COLUMN_TYPES = f"{PACKAGE}/database/column_types.py"
WEB_SCHEMAS = f"{PACKAGE}/web/schemas.py"
PAGINATION = f"{PACKAGE}/web/pagination.py"
TESTS = "tests/resources/items"


def mutant(name: str, file: str, old: str, new: str, *tests: str) -> Mutant:
    """Return a mutant that changes one text; `tests` are modules of the generated tests."""
    return Mutant(
        f"generated: {name}",
        f"generated tests see this: {name}",
        file,
        ((old, new),),
        tuple(f"{TESTS}/test_{test}.py" for test in tests),
        options=(("fields", FIELDS),),
    )


RESOURCE_MUTANTS: tuple[Mutant, ...] = (
    # Each type of field
    mutant("string one longer", SCHEMAS, "StringOf(20)", "StringOf(21)", "create"),
    mutant("string one shorter", SCHEMAS, "StringOf(20)", "StringOf(19)", "create"),
    mutant("empty string accepted", WEB_SCHEMAS, "min_length=1,", "min_length=0,", "create"),
    mutant("NUL accepted", WEB_SCHEMAS, r'NO_NUL = r"^[^\u0000]*$"', 'NO_NUL = r"^"', "create"),
    mutant(
        "text as a short string",
        SCHEMAS,
        "    note: LongString | None = None\n",
        "    note: TitleValue | None = None\n",
        "create",
    ),
    mutant("integer bound off by one", SCHEMAS, "minimum=1,", "minimum=2,", "create"),
    mutant("integer bound dropped", SCHEMAS, ", maximum=9", "", "create"),
    mutant("integer not strict", WEB_SCHEMAS, "Field(strict=True, ge", "Field(ge", "create"),
    mutant("decimal bound dropped", SCHEMAS, ', minimum="0"', "", "create"),
    mutant("decimal scale", SCHEMAS, "DecimalOf(9, 8)", "DecimalOf(9, 7)", "create"),
    mutant(
        "sign of -0 kept", WEB_SCHEMAS, "quantize(self.unit) + 0 ", "quantize(self.unit) ", "create"
    ),
    mutant(
        "decimal with exponent",
        WEB_SCHEMAS,
        'return format(value, "f")',
        "return str(value)",
        "create",
    ),
    mutant(
        "boolean not strict",
        WEB_SCHEMAS,
        "Boolean = Annotated[bool, Strict()]",
        "Boolean = bool",
        "create",
    ),
    mutant(
        "uuid as a string",
        SCHEMAS,
        "    key: UUID | None = None\n    due: Date\n",
        "    key: Any | None = None\n    due: Date\n",
        "create",
    ),
    mutant("date of any year", WEB_SCHEMAS, "MIN_YEAR = 1000", "MIN_YEAR = 1", "create"),
    mutant(
        "date takes a timestamp", WEB_SCHEMAS, "or not FULL_DATE.fullmatch(value)", "", "create"
    ),
    mutant(
        "timestamp without UTC", WEB_SCHEMAS, "utc = value.astimezone(UTC)", "utc = value", "create"
    ),
    mutant("naive timestamp", WEB_SCHEMAS, "([Zz]|[+-]", "([Zz]?|[+-]", "create"),
    mutant("enum value lost in the model", MODELS, '    SENT = "sent"\n', "", "create", "table"),
    mutant("enum value lost in the table", REVISION, '                "sent",\n', "", "create"),
    mutant("json too deep", WEB_SCHEMAS, "MAX_JSON_DEPTH = 20", "MAX_JSON_DEPTH = 21", "create"),
    mutant("json not finite", WEB_SCHEMAS, "if not math.isfinite(value):", "if False:", "create"),
    mutant(
        "json compared by Python",
        COLUMN_TYPES,
        "return _canonical(x) == _canonical(y)",
        "return bool(x == y)",
        "patch",
    ),
    mutant(
        "reference without a foreign key",
        REVISION,
        '["twin_id"], ["items.id"], name=op.f("fk_items_twin_id")',
        '["twin_id"], ["items.twin_id"], name=op.f("fk_items_twin_id")',
        "create",
    ),
    mutant(
        "reference without an index",
        REVISION,
        '"items", ["parent_id", "created_at", "id"]',
        '"items", ["id"]',
        "table",
    ),
    mutant("reference to itself", REVISION, '"parent_id <> id"', '"1 = 1"', "patch"),
    # Each modifier
    mutant(
        "unique dropped from the table",
        REVISION,
        '        sa.UniqueConstraint("code", name=op.f("uq_items_code")),\n',
        "",
        "create",
    ),
    mutant(
        "unique dropped from the model",
        MODELS,
        "ExactString(20), unique=True",
        "ExactString(20)",
        "table",
    ),
    mutant(
        "optional made required",
        SCHEMAS,
        "    note: LongString | None = None\n",
        "    note: LongString\n",
        "create",
    ),
    mutant(
        "required made optional",
        SCHEMAS,
        "    due: Date\n",
        "    due: Date | None = None\n",
        "create",
    ),
    mutant(
        "null not accepted by a patch",
        SCHEMAS,
        "note: LongString | MISSING | None",
        "note: LongString | MISSING",
        "patch",
    ),
    mutant(
        "null accepted by a patch",
        SCHEMAS,
        "due: Date | MISSING = ",
        "due: Date | MISSING | None = ",
        "patch",
    ),
    mutant(
        "index dropped from the model", MODELS, '        Index(None, "due", "id"),\n', "", "table"
    ),
    mutant(
        "CHECK dropped from the model's table", REVISION, "between(1, 9)", "between(0, 10)", "table"
    ),
    mutant(
        "CHECK of a decimal off by one", REVISION, '>= Decimal("0")', '>= Decimal("-0.01")', "table"
    ),
    mutant("column too short", REVISION, "ExactString(20)", "ExactString(19)", "table"),
    # Lists
    mutant(
        "filter ignored",
        ROUTES,
        '    "status": equals(Item.status),\n',
        '    "status": lambda _value: Item.id == Item.id,\n',
        "list",
    ),
    mutant(
        "filter of another field",
        ROUTES,
        '"parent_id": equals(Item.parent_id)',
        '"parent_id": equals(Item.twin_id)',
        "list",
    ),
    mutant(
        "range without its start", PAGINATION, "attribute >= value", "attribute > value", "list"
    ),
    mutant("range with its end", PAGINATION, ": attribute < value", ": attribute <= value", "list"),
    mutant(
        "sort by another field",
        ROUTES,
        '"title": SortKey(Item.title)',
        '"title": SortKey(Item.code)',
        "list",
    ),
    mutant(
        "descending sort ascends",
        ROUTES,
        "SortKey(Item.due, descending=True)",
        "SortKey(Item.due)",
        "list",
    ),
    mutant(
        "keyset skips equal values",
        PAGINATION,
        "        if not self.is_unique:\n            columns",
        "        if self.is_unique:\n            columns",
        "list",
    ),
    # Views
    mutant(
        "create without commit",
        ROUTES,
        "    claim.store_response(response)\n    session.commit()\n",
        "    claim.store_response(response)\n",
        "create",
    ),
    mutant(
        "idempotency key not stored", ROUTES, "    claim.store_response(response)\n", "", "create"
    ),
    mutant(
        "ETag missing on read",
        ROUTES,
        '    headers = {"ETag": entity_tag(row)}\n    if',
        "    headers: dict[str, str] = {}\n    if",
        "read",
    ),
    mutant(
        "version not checked by patch",
        ROUTES,
        "    check_if_match(row, header)\n    for",
        "    for",
        "patch",
    ),
    mutant(
        "version not checked by delete",
        ROUTES,
        "    check_if_match(row, header)\n    session.delete",
        "    session.delete",
        "delete",
    ),
    mutant(
        "version not counted",
        MODELS,
        '    __mapper_args__ = {"version_id_col": version}\n',
        "",
        "patch",
    ),
    mutant("updated_at not set", MODELS, ", onupdate=utc_now", "", "patch"),
)
