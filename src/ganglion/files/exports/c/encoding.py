"""From the values of a row to the inputs of the network, in C."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ganglion.files.exports.c.texts import text_lines
from ganglion.files.exports.c.words import comment, kind, number
from ganglion.files.exports.inputs import (
    PERIODS,
    Coded,
    CodedDate,
    CodedNumber,
    CodedPicture,
    CodedText,
    CodedWord,
)

if TYPE_CHECKING:
    from ganglion.files.exports.c.file import File

PLAIN_PARTS = ("year", "month", "day", "weekday", "hour", "elapsed")
CURVE = """
/* The height of a curve of straight lines at a place. */
static double curve(double value, const double *knots, const double *heights, int count) {
    int low = 0;
    int high = count - 1;
    if (value <= knots[0]) {
        return heights[0];
    }
    if (value >= knots[high]) {
        return heights[high];
    }
    while (high - low > 1) {
        const int middle = low + (high - low) / 2;
        if (knots[middle] <= value) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return heights[low] + (value - knots[low]) * (heights[high] - heights[low]) / (knots[high] - knots[low]);
}
"""
WORDS = r"""
static char lower(char letter) {
    return letter >= 'A' && letter <= 'Z' ? (char)(letter - 'A' + 'a') : letter;
}

static int is_blank(char letter) {
    return letter == ' ' || (letter >= '\t' && letter <= '\r');
}

/* Whether two words differ by at most outer blanks and, with `fold`, case; less than 0 if the first is
   before the second. */
static int compare(const char *given, const char *known, int trim, int fold) {
    int length = 0;
    int i = 0;
    while (trim && is_blank(*given)) {
        given++;
    }
    while (given[length] != '\0') {
        length++;
    }
    while (trim && length > 0 && is_blank(given[length - 1])) {
        length--;
    }
    for (i = 0; i < length && known[i] != '\0'; i++) {
        const unsigned char own = (unsigned char)(fold ? lower(given[i]) : given[i]);
        const unsigned char other = (unsigned char)known[i];
        if (own != other) {
            return own < other ? -1 : 1;
        }
    }
    return i < length ? 1 : (known[i] != '\0' ? -1 : 0);
}

static int is_missing(const char *word) {
    if (word == 0) {
        return 1;
    }
    for (int i = 0; i < MISSING_COUNT; i++) {
        if (compare(word, missing_words[i], 1, 1) == 0) {
            return 1;
        }
    }
    return 0;
}
"""
FIND = """
/* The place of a word among words in ascending order, -1 if it is none of them. */
static int place_of(const char *word, const char *const *words, int count, int fold) {
    int low = 0;
    int high = count - 1;
    while (low <= high) {
        const int middle = low + (high - low) / 2;
        const int order = compare(word, words[middle], fold, fold);
        if (order == 0) {
            return middle;
        }
        if (order < 0) {
            high = middle - 1;
        } else {
            low = middle + 1;
        }
    }
    return -1;
}
"""
FIND_NUMBER = """
/* The place of a number among numbers in ascending order, -1 if it is none of them. */
static int place_of_number(double number, const double *numbers, int count) {
    for (int i = 0; i < count && numbers[i] <= number; i++) {
        if (numbers[i] >= number) {
            return i;
        }
    }
    return -1;
}
"""
DATE = r"""
/* The digits at a place of a text as a number, -1 unless there are as many. */
static int digits(const char *text, int first, int count) {
    int number = 0;
    for (int i = first; i < first + count; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return -1;
        }
        number = number * 10 + (text[i] - '0');
    }
    return number;
}

/* Year, month, day, weekday (Monday is 1), hour and the days since 1970 of a date such as 2026-01-31 or
   2026-01-31 12:30:59.5; 0 if the text is no such date. */
static int parts_of_date(const char *text, double *parts) {
    static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year;
    int month;
    int day;
    int leap;
    long days;
    int at = 10;
    double time[3] = {0.0, 0.0, 0.0};
    while (is_blank(*text)) {
        text++;
    }
    year = digits(text, 0, 4);
    month = year > 0 && text[4] == '-' ? digits(text, 5, 2) : -1;
    day = month > 0 && month <= 12 && text[7] == '-' ? digits(text, 8, 2) : -1;
    if (day < 1) {
        return 0;
    }
    leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (day > lengths[month - 1] + (month == 2 && leap)) {
        return 0;
    }
    for (int i = 0; i < 3 && (text[at] == (i == 0 ? ' ' : ':') || (i == 0 && text[at] == 'T')); i++) {
        const int number = digits(text, at + 1, 2);
        if (number < 0 || number > (i == 0 ? 23 : 59)) {
            break;
        }
        time[i] = (double)number;
        at += 3;
    }
    if (at == 19 && text[at] == '.') {
        double unit = 0.1;
        for (at++; text[at] >= '0' && text[at] <= '9'; at++) {
            time[2] += unit * (double)(text[at] - '0');
            unit /= 10.0;
        }
    }
    while (is_blank(text[at])) {
        at++;
    }
    if (text[at] != '\0') {
        return 0;
    }
    days = 365L * (year - 1970) + (year - 1) / 4 - (year - 1) / 100 + (year - 1) / 400 - 477;
    days += before[month - 1] + day - 1 + (month > 2 && leap);
    parts[0] = (double)year;
    parts[1] = (double)month;
    parts[2] = (double)day;
    parts[3] = (double)(((days + 3) % 7 + 7) % 7 + 1);
    parts[4] = time[0];
    parts[5] = (double)days + (time[0] * 3600.0 + time[1] * 60.0 + time[2]) / 86400.0;
    return 1;
}
"""


def encoding(file: File, fields: Sequence[str]) -> list[str]:
    """Return the lines that make the network's inputs of a row."""
    lines, first = list[str](), 0
    words = [each for each in file.job.columns if kind(each) == "const char *"]
    if words:
        file.table("missing_words", file.job.missing or ("",), "const char *const")
        file.use(WORDS.replace("MISSING_COUNT", str(len(file.job.missing) or 1)))
    for which, (column, field) in enumerate(zip(file.job.columns, fields, strict=True), 1):
        lines += [f"    /* {comment(column.column)} */", "    {"]
        lines += [f"        {line}" for line in _column(file, column, field, first, which)]
        lines += ["    }"]
        first += column.width
    if lines and not isinstance(file.job.columns[0], CodedPicture):
        lines += [
            f"    for (int i = 0; i < {first}; i++) {{",
            "        if (!isfinite(x[i])) {",
            f"            return {file.table('column_of', _owners(file), 'int')}[i];",
            "        }",
            "    }",
        ]
    return lines


def _owners(file: File) -> list[int]:
    return [which for which, each in enumerate(file.job.columns, 1) for _ in range(each.width)]


def _column(file: File, column: Coded, field: str, first: int, which: int) -> list[str]:
    if isinstance(column, CodedNumber):
        fill = number(column.fill, "double")
        lines = [f"const double value = isnan(row->{field}) ? {fill} : row->{field};"]
        if column.knots:
            file.use(CURVE)
            knots = file.table(f"{field}_knots", column.knots, "double")
            heights = file.table(f"{field}_heights", column.heights, "double")
            lines += [
                f"if (isinf(value)) {{ return {which}; }}",
                f"x[{first}] = (float)curve(value, {knots}, {heights}, {len(column.knots)});",
            ]
        else:
            center, scale = number(column.center, "double"), number(column.scale, "double")
            lines.append(f"x[{first}] = (float)((value - {center}) / {scale});")
        if column.missing:
            lines.append(f"x[{first + 1}] = isnan(row->{field}) ? 1.0f : 0.0f;")
        return lines
    if isinstance(column, CodedWord):
        return _word(file, column, field, first, which)
    if isinstance(column, CodedPicture):
        channels = column.shape[2]
        factors, shifts = file.table("factors", column.factors), file.table("shifts", column.shifts)
        scaled = f"(float)row->{field}[i] * {factors}[i % {channels}] + {shifts}[i % {channels}]"
        return [f"for (int i = 0; i < {column.width}; i++) {{ x[{first} + i] = {scaled}; }}"]
    if isinstance(column, CodedText):
        return text_lines(file, column, field, first)
    assert isinstance(column, CodedDate)
    return _date(file, column, field, first, which)


def _word(file: File, column: CodedWord, field: str, first: int, which: int) -> list[str]:
    places, count, width = range(len(column.words)), len(column.words), column.width
    if column.numeric:
        file.use(FIND_NUMBER)
        order = sorted(places, key=lambda place: float(column.words[place]))
        known = file.table(f"{field}_numbers", [float(column.words[i]) for i in order], "double")
        lines = [
            f"const int known = isnan(row->{field}) ? {count} : "
            f"place_of_number(row->{field}, {known}, {count});"
        ]
    else:
        file.use(FIND)
        order = sorted(places, key=lambda place: column.words[place].encode())
        known = file.table(f"{field}_words", [column.words[i] for i in order], "const char *const")
        found = f"place_of(row->{field}, {known}, {count}, {int(column.fold)})"
        lines = [f"const int known = is_missing(row->{field}) ? {count} : {found};"]
    others = [column.missing, column.missing if column.unknown is None else column.unknown]
    rows = [*(column.table[i] for i in order), *others]
    if column.unknown is None:
        lines.append(f"if (known < 0) {{ return {which}; }}")
    if column.rows is None and width > 1:
        # The place that is 1; -1 for none.
        ones = [int(np.argmax(row)) if np.any(row) else -1 for row in rows]
        table = file.table(f"{field}_places", ones, "int")
        return [
            *lines,
            f"const int place = {table}[known < 0 ? {count + 1} : known];",
            f"for (int i = 0; i < {width}; i++) {{ x[{first} + i] = i == place ? 1.0f : 0.0f; }}",
        ]
    table = file.table(f"{field}_features", np.array(rows, np.float32))
    return [
        *lines,
        f"const int place = known < 0 ? {count + 1} : known;",
        f"for (int i = 0; i < {width}; i++) {{ x[{first} + i] = {table}[place * {width} + i]; }}",
    ]


def _date(file: File, column: CodedDate, field: str, first: int, which: int) -> list[str]:
    file.use(DATE)
    lines = [
        "double parts[6];",
        f"const int absent = is_missing(row->{field});",
        f"if (!absent && !parts_of_date(row->{field}, parts)) {{ return {which}; }}",
    ]
    for at, part in enumerate(column.parts):
        fill, scale = number(column.fill[at], "double"), column.scale[at]
        what, _, turn = part.partition(" ")
        place = PLAIN_PARTS.index(what) if what in PLAIN_PARTS else -1
        value = "0.0" if part == "missing" else f"parts[{place}]"
        if turn:
            angle = f"6.283185307179586 * parts[{place}] / {PERIODS[what]}.0"
            value = f"{'sin' if turn == 'sine' else 'cos'}({angle})"
        if scale > 0:
            center = number(column.center[at], "double")
            line = f"(float)(((absent ? {fill} : {value}) - {center}) / {number(scale, 'double')})"
        else:
            line = "0.0f"
        lines.append(f"x[{first + at}] = {line};")
    return lines
