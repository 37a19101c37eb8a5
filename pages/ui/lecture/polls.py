"""The classes of a server and their votes, in one SQLite file.

A lecturer opens a class and shows it questions, one after the other; students join it by four letters and answer. The
lecturer's rights hang on a secret. A question can be voted on twice, before and after a discussion.

Nobody's answer can be traced to a person: a vote stands under a hash of a random text that the student's browser made,
with a key that each class has of its own. Votes have no time and no order. A class is deleted after 24 hours::

    polls = Polls("classes.db")
    lecturer = polls.open_class()
    polls.ask(lecturer, "guidance/guess")
    polls.join(lecturer.code, browser)
    polls.vote(lecturer.code, browser, "guidance/guess", 1, "nearly_all")
    polls.close(lecturer)
    polls.counts(lecturer, "guidance/guess")
"""

import csv
import hashlib
import hmac
import io
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from core.problems import Problem

LETTERS = "BCDFGHJKMPRSTWXYZ"  # without vowels no word can arise; I, L, N, O, Q and V are mistaken for others
LENGTH = 4
HOURS = 24
MOST_STUDENTS, MOST_CLASSES = 1000, 5000  # of a class, of a server; a script that joins must not fill the disk
MOST_OPENED = 20  # by one visitor in a day: nobody gives more lectures
BALLOTS = (1, 2)  # before and after the discussion
APPLICATION, VERSION = 0x766F7465, 1  # by which a file of classes is known; of the tables below
TABLES = """
CREATE TABLE classes (
    code TEXT PRIMARY KEY, secret BLOB NOT NULL, key BLOB NOT NULL, opened REAL NOT NULL,
    over INTEGER NOT NULL DEFAULT 0, question TEXT, scene TEXT
) WITHOUT ROWID;
CREATE TABLE questions (
    code TEXT NOT NULL REFERENCES classes ON DELETE CASCADE, question TEXT NOT NULL,
    ballot INTEGER NOT NULL DEFAULT 1, open INTEGER NOT NULL DEFAULT 1, PRIMARY KEY (code, question)
) WITHOUT ROWID;
CREATE TABLE students (
    code TEXT NOT NULL REFERENCES classes ON DELETE CASCADE, student BLOB NOT NULL, PRIMARY KEY (code, student)
) WITHOUT ROWID;
CREATE TABLE votes (
    code TEXT NOT NULL REFERENCES classes ON DELETE CASCADE, question TEXT NOT NULL, ballot INTEGER NOT NULL,
    student BLOB NOT NULL, answer TEXT NOT NULL, PRIMARY KEY (code, question, ballot, student)
) WITHOUT ROWID;
"""  # Without a row's number, which would tell the order of the votes.

CAUSES = {
    sqlite3.SQLITE_FULL: "full",
    sqlite3.SQLITE_READONLY: "read_only",
    sqlite3.SQLITE_BUSY: "locked",
    sqlite3.SQLITE_LOCKED: "locked",
    sqlite3.SQLITE_NOTADB: "foreign",
    sqlite3.SQLITE_CORRUPT: "foreign",
}  # by SQLite's own code of the error, its lowest byte


@dataclass(frozen=True)
class Lecturer:
    """Who may command a class: its code, and the secret that only the lecturer's browser knows."""

    code: str
    secret: str


@dataclass(frozen=True)
class Standing:
    """How a class stands now.

    Attributes:
        code: the four letters.
        question: the question that the lecturer shows, or None.
        ballot: which vote on it this is, 1 before and 2 after the discussion.
        open: whether it can be answered.
        joined: number of students.
        answered: how many of them have answered in this vote.
        scene: the page and its parameters that the lecturer shows to those who follow, or None.
    """

    code: str
    question: str | None
    ballot: int
    open: bool
    joined: int
    answered: int
    scene: str | None


def read_code(raw: str) -> str:
    """The code that somebody typed, in capitals and without spaces. Raises Problem where it cannot be a code."""
    code = "".join(raw.split()).upper()
    if len(code) != LENGTH or set(code) - set(LETTERS):
        raise Problem("class_code", letters=LENGTH)
    return code


class Polls:
    """The classes in the file at ``path``, which is made if there is none.

    Every method may be called from any thread, and several processes may have the file open. Each raises Problem where
    the file cannot be read or written, where there is no such class, and where the secret is wrong.

    Args:
        patience: seconds to wait while another process writes.
        letter: the first letter of the codes of classes opened here; "": any. Of several servers without a common file
            each has its own.
        now: the time in seconds, for tests.
    """

    def __init__(self, path: str | Path, patience: float = 5.0, letter: str = "", now: Callable[[], float] = time.time):
        if letter and letter not in tuple(LETTERS):
            raise Problem("class_letter", given=letter, letters=" ".join(LETTERS))
        self.path, self.letter, self.now, self._lock = Path(path), letter, now, threading.Lock()
        self._opened: list[tuple[str, float]] = []  # who opened a class and when; not in the file, which knows nobody
        with self._problems():
            self._file = sqlite3.connect(self.path, patience, check_same_thread=False, isolation_level=None)
            try:
                self._prepare()
            except BaseException:
                self._file.close()
                raise

    def _prepare(self) -> None:
        made, version = self._pragma("application_id"), self._pragma("user_version")
        empty = not self._file.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        if not empty and made != APPLICATION:
            raise Problem("class_file_foreign", file=self.path)
        if not empty and version != VERSION:
            raise Problem("class_version", file=self.path, version=version, own=VERSION)
        self._file.execute("PRAGMA journal_mode=WAL")
        self._file.execute("PRAGMA synchronous=NORMAL")
        self._file.execute("PRAGMA foreign_keys=ON")
        self._file.execute("PRAGMA secure_delete=ON")
        if empty:
            with self._transaction():
                if not self._pragma("user_version"):  # else another process was faster
                    for table in TABLES.split(";\n"):
                        self._file.execute(table)
                    self._file.execute(f"PRAGMA application_id={APPLICATION}")
                    self._file.execute(f"PRAGMA user_version={VERSION}")
        self._delete_old()

    def _pragma(self, name: str) -> int:
        return self._file.execute(f"PRAGMA {name}").fetchone()[0]

    def close_file(self) -> None:
        """Close the file; no other method can be called any more."""
        with self._lock:
            self._file.close()

    # The lecturer

    def open_class(self, visitor: str = "") -> Lecturer:
        """Open a class with a new code and secret. Raises Problem for a ``visitor`` who has opened very many today."""
        secret = secrets.token_urlsafe(24)
        with self._writing():
            self._delete_old()
            self._opened = [(who, when) for who, when in self._opened if when > self.now() - 3600 * HOURS]
            if [who for who, _ in self._opened].count(visitor) >= MOST_OPENED:
                raise Problem("class_opened_often", most=MOST_OPENED, hours=HOURS)
            codes = {code for (code,) in self._file.execute("SELECT code FROM classes")}
            if len(codes) >= MOST_CLASSES:
                raise Problem("class_too_many", most=MOST_CLASSES, hours=HOURS)
            code = next(code for code in iter(lambda: _random_code(self.letter), "") if code not in codes)
            row = code, _digest(secret), secrets.token_bytes(32), self.now()
            self._file.execute("INSERT INTO classes (code, secret, key, opened) VALUES (?, ?, ?, ?)", row)
            if visitor:
                self._opened.append((visitor, self.now()))
        return Lecturer(code, secret)

    def check(self, lecturer: Lecturer) -> Standing:
        """How the class of ``lecturer`` stands. Raises Problem where the secret is not that of the class."""
        with self._reading():
            self._check(lecturer)
            return self._standing(lecturer.code)

    def ask(self, lecturer: Lecturer, question: str | None) -> None:
        """Show the class a question, or none. A vote on it begins, unless there was one: that stays as it was left."""
        with self._writing():
            self._check(lecturer)
            self._file.execute("UPDATE classes SET question = ? WHERE code = ?", (question, lecturer.code))
            if question is not None:
                row = lecturer.code, question
                self._file.execute("INSERT OR IGNORE INTO questions (code, question) VALUES (?, ?)", row)

    def show(self, lecturer: Lecturer, scene: str | None) -> None:
        """Tell those who follow which scene the lecturer shows: a page and its parameters, or None."""
        with self._writing():
            self._check(lecturer)
            row = scene, lecturer.code, scene
            self._file.execute("UPDATE classes SET scene = ? WHERE code = ? AND scene IS NOT ?", row)

    def close(self, lecturer: Lecturer) -> None:
        """Close the vote on the question that is shown."""
        self._set_vote(lecturer, "open = 0")

    def reopen(self, lecturer: Lecturer) -> None:
        """Let the class answer once more in the same vote."""
        self._set_vote(lecturer, "open = 1")

    def vote_again(self, lecturer: Lecturer) -> None:
        """Close the first vote on the question that is shown, and begin the second."""
        self._set_vote(lecturer, f"open = 1, ballot = {BALLOTS[-1]}")

    def vote_anew(self, lecturer: Lecturer) -> None:
        """Throw away all answers to the question that is shown, and begin the first vote on it once more."""
        with self._writing():
            self._check(lecturer)
            row = lecturer.code, self._standing(lecturer.code).question
            self._file.execute("DELETE FROM votes WHERE code = ? AND question = ?", row)
            self._update_vote(row, f"open = 1, ballot = {BALLOTS[0]}")

    def end(self, lecturer: Lecturer) -> None:
        """End the class: nobody can join or vote any more. Its results can be read until it is deleted."""
        with self._writing():
            self._check(lecturer)
            row = (lecturer.code,)
            self._file.execute("UPDATE classes SET over = 1, question = NULL, scene = NULL WHERE code = ?", row)

    def counts(self, lecturer: Lecturer, question: str) -> dict[int, dict[str, int]]:
        """The votes on a question: of each vote that has begun, how often each answer was given."""
        with self._reading():
            self._check(lecturer, over=True)
            found: dict[int, dict[str, int]] = {}
            for last, _ in self._vote(lecturer.code, question):
                found = {number: {} for number in BALLOTS if number <= last}
            for number, answer, count in self._counted(lecturer.code, question):
                found[number][answer] = count
            return found

    def questions(self, lecturer: Lecturer) -> list[str]:
        """The questions that the class was shown, by name."""
        with self._reading():
            self._check(lecturer, over=True)
            rows = self._file.execute("SELECT question FROM questions WHERE code = ? ORDER BY 1", (lecturer.code,))
            return [question for (question,) in rows]

    # The students

    def join(self, code: str, browser: str) -> Standing:
        """Count the student with this browser among the class, once; how the class stands."""
        with self._writing():
            self._member(code, browser)
            return self._standing(code)

    def standing(self, code: str) -> Standing:
        """How the class with this code stands. Raises Problem where there is none, and where it is over."""
        with self._reading():
            self._key(code)
            return self._standing(code)

    def vote(self, code: str, browser: str, question: str, ballot: int, answer: str) -> None:
        """Count a student's answer in this vote on a question, in the place of an earlier one. Raises Problem where the
        question is not the one that is shown, and where the vote is closed."""
        with self._writing():
            student, now = self._member(code, browser), self._standing(code)
            if (question, ballot) != (now.question, now.ballot) or not now.open:
                raise Problem("class_vote_closed")
            row = code, question, ballot, student, answer
            self._file.execute("INSERT OR REPLACE INTO votes VALUES (?, ?, ?, ?, ?)", row)

    def answer(self, code: str, browser: str, question: str, ballot: int) -> str | None:
        """A student's answer in this vote on a question, or None."""
        with self._reading():
            row = code, question, ballot, self._student(code, browser)
            query = "SELECT answer FROM votes WHERE code = ? AND question = ? AND ballot = ? AND student = ?"
            found = self._file.execute(query, row).fetchone()
            return found and found[0]

    # What they share; all of it within `_reading` or `_writing`

    def _class(self, code: str) -> tuple[bytes, bytes, bool]:
        """The digest of the secret of a class, its key, and whether it is over."""
        query = "SELECT secret, key, over FROM classes WHERE code = ? AND opened > ?"
        found = self._file.execute(query, (code, self.now() - 3600 * HOURS)).fetchone()
        if found is None:
            if self.letter and not code.startswith(self.letter):
                raise Problem("class_elsewhere", name=code)
            raise Problem("class_unknown", name=code, hours=HOURS)
        return found

    def _key(self, code: str) -> bytes:
        """The key of a class that is not over."""
        _, key, over = self._class(code)
        if over:
            raise Problem("class_over", name=code)
        return key

    def _check(self, lecturer: Lecturer, over: bool = False) -> None:
        """Raise Problem unless the secret is that of the class, and unless it goes on or may be ``over``."""
        if not hmac.compare_digest(self._class(lecturer.code)[0], _digest(lecturer.secret)):
            raise Problem("class_secret", name=lecturer.code)
        if not over:
            self._key(lecturer.code)

    def _student(self, code: str, browser: str) -> bytes:
        """The hash that stands for the student with this browser in this class, and in no other."""
        return hmac.digest(self._key(code), browser.encode(), "sha256")

    def _member(self, code: str, browser: str) -> bytes:
        """As `_student`, who from now on is counted."""
        student = self._student(code, browser)
        known = self._file.execute("SELECT 1 FROM students WHERE code = ? AND student = ?", (code, student))
        if not known.fetchone():
            if self._count("students", code) >= MOST_STUDENTS:
                raise Problem("class_full", name=code, most=MOST_STUDENTS)
            self._file.execute("INSERT INTO students VALUES (?, ?)", (code, student))
        return student

    def _set_vote(self, lecturer: Lecturer, change: str) -> None:
        with self._writing():
            self._check(lecturer)
            self._update_vote((lecturer.code, self._standing(lecturer.code).question), change)

    def _update_vote(self, row: tuple[str, str | None], change: str) -> None:
        self._file.execute(f"UPDATE questions SET {change} WHERE code = ? AND question = ?", row)

    def _standing(self, code: str) -> Standing:
        query = "SELECT question, scene FROM classes WHERE code = ?"
        question, scene = self._file.execute(query, (code,)).fetchone()
        joined = self._count("students", code)
        for number, open_ in self._vote(code, question):
            votes = "SELECT count(*) FROM votes WHERE code = ? AND question = ? AND ballot = ?"
            answered = self._file.execute(votes, (code, question, number)).fetchone()[0]
            return Standing(code, question, number, bool(open_), joined, answered, scene)
        return Standing(code, None, BALLOTS[0], False, joined, 0, scene)

    def _vote(self, code: str, question: str | None) -> Sequence[tuple[int, int]]:
        """The number of the latest vote on a question, and whether it is open; nothing where there is no such vote."""
        query = "SELECT ballot, open FROM questions WHERE code = ? AND question = ?"
        return self._file.execute(query, (code, question)).fetchall()

    def _counted(self, code: str, question: str) -> Iterator[tuple[int, str, int]]:
        query = "SELECT ballot, answer, count(*) FROM votes WHERE code = ? AND question = ? GROUP BY ballot, answer"
        return self._file.execute(query, (code, question))

    def _count(self, table: str, code: str) -> int:
        return self._file.execute(f"SELECT count(*) FROM {table} WHERE code = ?", (code,)).fetchone()[0]

    def delete_old(self) -> None:
        """Delete the classes that are older than 24 hours, and their votes."""
        with self._writing():
            self._delete_old()

    def _delete_old(self) -> None:
        self._file.execute("DELETE FROM classes WHERE opened <= ?", (self.now() - 3600 * HOURS,))

    # The file

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Inside it, all is read from one moment, and what the file raises is a Problem."""
        with self._lock, self._problems(), self._transaction("DEFERRED"):
            yield

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Inside it, all is written or nothing."""
        with self._lock, self._problems(), self._transaction():
            yield

    @contextmanager
    def _transaction(self, kind: str = "IMMEDIATE") -> Iterator[None]:
        self._file.execute(f"BEGIN {kind}")
        try:
            yield
            self._file.execute("COMMIT")
        finally:
            if self._file.in_transaction:
                self._file.execute("ROLLBACK")

    @contextmanager
    def _problems(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            cause = CAUSES.get((getattr(error, "sqlite_errorcode", None) or 0) & 0xFF)
            if cause is None:
                raise Problem("class_file", file=self.path, error=error) from error
            raise Problem(f"class_file_{cause}", file=self.path) from error


def results(counts: Mapping[str, Mapping[int, Mapping[str, int]]], names: Callable[[str], Mapping[str, str]]) -> bytes:
    """The results of a class as CSV: a row for each question, vote and answer, and how many gave it.

    Args:
        counts: of each question what `Polls.counts` returns.
        names: the answers of a question, by identifier, as they read. Those that nobody gave are listed as well.
    """
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(("question", "vote", "answer", "text", "count"))
    for question, votes in counts.items():
        answers = names(question)
        for number, given in votes.items():
            rows.writerows((question, number, one, text, given.get(one, 0)) for one, text in answers.items())
    return out.getvalue().encode("utf-8-sig")  # the mark by which a spreadsheet knows the encoding


def _random_code(first: str) -> str:
    return first + "".join(secrets.choice(LETTERS) for _ in range(LENGTH - len(first)))


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
