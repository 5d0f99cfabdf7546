"""The description: schemathesis finds no request that the server answers otherwise than described."""

import datetime
import json
import warnings
from typing import Any

import polars as pl
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS

import ganglion as gg
from ganglion.serving import Limits, make_app
from ganglion.serving.openapi import describe, example_record
from served import CSV, MODELS, client, model, table

EXAMPLES = 15
HOST = {"Host": "127.0.0.1:8000"}


@pytest.mark.parametrize("mode", list(GenerationMode))
@pytest.mark.parametrize("name", ["size", "both"])
def test_the_server_is_as_described(name: str, mode: GenerationMode) -> None:
    """Valid rows are answered as described, others refused as described."""
    schema = schemathesis.openapi.from_asgi("/openapi.json", make_app(model(name)), headers=HOST)
    (of_text,) = CHECKS.get_by_names(["positive_data_acceptance"])  # not all text is a table
    statuses = set()

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(schema["/predict"]["POST"].as_strategy(generation_mode=mode))
    def answered(case: Any) -> None:
        answer = case.call(headers=HOST)
        excluded = [of_text] if case.media_type == CSV["Content-Type"] else []
        case.validate_response(answer, excluded_checks=excluded)
        statuses.add(answer.status_code)

    answered()
    assert (200 in statuses) == (mode is GenerationMode.POSITIVE)
    for path in ("/health", "/openapi.json"):
        case = schema[path]["GET"].Case()
        case.call_and_validate(headers=HOST)


@pytest.mark.parametrize("name", MODELS)
def test_the_example_is_a_row_and_each_answer_is_as_described(name: str) -> None:
    server = client(name, strict=True)  # there is nothing to be said about it
    described = server.get("/openapi.json").json()
    body = described["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]
    assert body["example"] == example_record(model(name))
    parameters = described["paths"]["/predict"]["post"]["parameters"]
    assert ("interval" in [each["name"] for each in parameters]) == (name != "size")
    interval = [each["schema"] for each in parameters if each["name"] == "interval"]
    for schema in interval:
        for level, status in ((schema["maximum"], 200), (schema["maximum"] + 0.002, 422)):
            answer = server.post("/predict", json=body["example"], params={"interval": level})
            assert answer.status_code == status
    answer = server.post("/predict?probabilities=true&notes=true", json=body["example"])
    assert answer.status_code == 200


def test_kinds_of_columns() -> None:
    row = describe(model(), Limits(rows=7))["components"]["schemas"]["Row"]
    columns = row["properties"]
    assert row["required"] == list(columns) == ["length", "count", "color", "grade", "old", "day"]
    assert columns["length"]["anyOf"][0]["type"] == "number"
    assert "learned from" in columns["length"]["description"]
    assert columns["color"]["type"] == ["string", "number", "boolean", "null"]
    assert columns["color"]["examples"] == ["blue", "it's green", "red"]
    assert "enum" not in columns["color"]  # what is unknown is tolerated
    assert columns["grade"]["anyOf"] == [{"type": "number"}, {"type": "null"}]
    assert columns["old"]["type"] == ["boolean", "null"]
    assert [each.get("format") for each in columns["day"]["anyOf"]] == ["date", "date-time", None]
    rows = describe(model(), Limits(rows=7))["paths"]["/predict"]["post"]["requestBody"]["content"]
    assert rows["application/json"]["schema"]["oneOf"][1]["maxItems"] == 7


def test_targets() -> None:
    schemas = describe(model("both"), Limits())["components"]["schemas"]
    size, mass = (schemas["Answer"]["properties"]["targets"]["properties"][each] for each in ("size", "mass"))
    assert size["properties"]["prediction"] == {"type": "string", "enum": ["large", "small"]}
    assert mass["properties"].keys() == {"prediction", "low", "high"}


FORMS = {
    "day-first": "%d.%m.%Y",
    "month-first": "%m/%d/%Y",
    "compact": "%Y%m%d",
    "%d %b %y": "%d %b %y",
    "unix": "%s",
}


@pytest.mark.parametrize("form", FORMS)
def test_the_example_of_a_date_is_written_as_the_model_reads_it(form: str) -> None:
    days = table().get_column("day").to_list()
    if form == "unix":
        words = [str(round((day - datetime.date(1970, 1, 1)).total_seconds())) for day in days]
    else:
        words = [day.strftime(FORMS[form]) for day in days]
    times = [f"{n % 24:02}:{n % 60:02}" for n in range(len(words))]
    mass = table().get_column("mass")
    cents = [f"{1000 * n:,.2f} €".translate(str.maketrans(",.", ".,")) for n in mass]
    rows = pl.DataFrame({"when": words, "at": times, "price": cents, "mass": mass})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", gg.GanglionNotice)
        read = gg.ReadOptions(dates={"when": form})
        trained = gg.TableModel.train(rows, "mass", hidden=4, epochs=2, folds=2, read=read)
    example = example_record(trained)
    assert set(example) == {"when", "at", "price"}
    expected = trained.predict(
        pl.DataFrame({name: [value] for name, value in example.items()}).with_columns(pl.lit(1).alias("mass"))
    )
    for answer in (trained.answer(example), trained.predict([example, example]).row(0, named=True)):
        assert answer["prediction"] == expected["prediction"][0]
    assert json.dumps(describe(trained, Limits()), allow_nan=False)
