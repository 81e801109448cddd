"""Client of the database: a JSON line for each statement and each answer."""

import json
import socket
import time


class DatabaseError(Exception):
    """The database did not answer, or refused a statement."""


class Database:
    """One connection with a time budget for everything that is asked through it."""

    def __init__(self, address, timeout=3.0):
        host, _, port = address.rpartition(":")
        self.timeout = timeout
        self.deadline = time.monotonic() + timeout
        self.queries = 0
        self.milliseconds = 0.0
        try:
            self.connection = socket.create_connection((host, int(port)), timeout)
        except OSError as error:
            raise DatabaseError(f"no connection to the database: {error}") from error
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.answers = self.connection.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.answers.close()
        self.connection.close()

    def query(self, sql, params=()):
        """The rows a statement yields, as dictionaries."""
        started = time.monotonic()
        self.queries += 1
        try:
            self.connection.settimeout(max(0.001, self.deadline - started))
            self.connection.sendall(json.dumps({"sql": sql, "params": params}).encode() + b"\n")
            answer = json.loads(self.answers.readline() or "{}")
        except TimeoutError as error:
            raise DatabaseError(f"timeout: no answer within {self.timeout:g} s") from error
        except OSError as error:
            raise DatabaseError(f"connection lost: {error}") from error
        finally:
            self.milliseconds += (time.monotonic() - started) * 1000
        if "rows" not in answer:
            raise DatabaseError(answer.get("error", "connection closed by the database"))
        return answer["rows"]
