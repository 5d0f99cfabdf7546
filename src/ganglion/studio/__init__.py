"""The studio: a page in the browser where a person watches a network learn their own table, step by step.

`settings.py` says what a network and its training are, as the page sends them; `data.py` prepares a table.
`run.py` is one run with its branches, `answers.py` what the page may ask about one, and `session.py` holds
the runs and carries out commands, while a thread plays. `lesson.py` reads lessons and checks answers; those
that ship are in `lessons/`. `exports.py` writes what a person leaves with. `gate.py` lets nothing in but the
page itself, `handing.py` hands over the token, and `server.py` joins all to HTTP. The page is in `page/`,
whose README says where a line goes.
"""

FRAME = 0.05  # seconds between two frames
