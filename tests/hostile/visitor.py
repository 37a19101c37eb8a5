"""A visitor without a browser, who opens links and uploads files, and what each answer cost the server."""

import re
import time
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from streamlit.proto.Alert_pb2 import Alert
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import ClientConnection, connect

from tests.serving import Server

PATIENCE = 120.0  # seconds without a word


@dataclass(frozen=True)
class Cost:
    """What an answer took: seconds, seconds of the server's processors, and by how many MB the server's memory grew at
    most while it was made."""

    seconds: float
    work: float
    megabytes: float


@contextmanager
def costing(server: Server) -> Iterator[list[Cost]]:
    """The cost of what happens in the block, as the only item of the list (Linux)."""
    found: list[Cost] = []
    Path(f"/proc/{server.pid}/clear_refs").write_text("5")  # the peak begins anew
    before, work, begun = server.memory(), server.processor_seconds(), time.monotonic()
    yield found
    seconds, work = time.monotonic() - begun, server.processor_seconds() - work
    found.append(Cost(seconds, work, (server.peak_memory() - before) / 1e6))


@dataclass
class Visitor:
    """One session: what it was shown last, and the fields that take a file, by the end of their key."""

    channel: ClientConnection
    server: Server
    page: str = ""
    query: str = ""
    errors: list[str] = field(default_factory=list)  # sentences of the page
    fields: dict[str, str] = field(default_factory=dict)
    session: str = ""
    given: dict[str, object] = field(default_factory=dict)  # what each field holds

    def open(self, page: str, query: str) -> None:
        """Open a page, to the end of its run."""
        self.page, self.query = page, query
        self.run()

    def run(self) -> None:
        """Let the page run, with what its fields hold."""
        message = BackMsg()
        message.rerun_script.page_name, message.rerun_script.query_string = self.page, self.query
        for widget, state in self.given.items():
            one = message.rerun_script.widget_states.widgets.add(id=widget)
            one.file_uploader_state_value.CopyFrom(state)
        self.errors.clear()
        self.channel.send(message.SerializeToString())
        while not self.hear(ForwardMsg.FromString(self.channel.recv(PATIENCE))):
            pass

    def hear(self, message: ForwardMsg) -> bool:
        """Take in a message of the server; whether it ends a run."""
        kind = message.WhichOneof("type")
        if kind == "new_session":
            self.session = message.new_session.initialize.session_id or self.session
        elif kind == "delta" and message.delta.WhichOneof("type") == "new_element":
            self.see(message.delta.new_element)
        return kind == "script_finished" and message.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN

    def see(self, element) -> None:
        """Remember the fields that take a file, and the sentences of errors."""
        kind = element.WhichOneof("type")
        if kind == "file_uploader":
            self.fields[element.file_uploader.id.rsplit("-", 1)[-1]] = element.file_uploader.id
        elif kind == "alert" and element.alert.format == Alert.ERROR:
            self.errors.append(element.alert.body)
        elif kind == "exception":
            self.errors.append(element.exception.message)

    def upload(self, key: str, name: str, content: bytes) -> None:
        """Give a file to the field of that key, and let the page run."""
        ask = BackMsg()
        ask.file_urls_request.request_id, ask.file_urls_request.session_id = uuid.uuid4().hex, self.session
        ask.file_urls_request.file_names.append(name)
        self.channel.send(ask.SerializeToString())
        while True:
            message = ForwardMsg.FromString(self.channel.recv(PATIENCE))
            if message.WhichOneof("type") == "file_urls_response":
                break
        place = message.file_urls_response.file_urls[0]
        put(f"{self.server.address}{place.upload_url}", name, content)
        state = BackMsg().rerun_script.widget_states.widgets.add().file_uploader_state_value
        state.uploaded_file_info.add(file_id=place.file_id, name=name, size=len(content), file_urls=place)
        self.given = {self.fields[key]: state}
        self.run()


def put(address: str, name: str, content: bytes) -> None:
    """Send a file as a browser does."""
    border = uuid.uuid4().hex
    plain = re.sub(r'["\r\n]', "_", name).encode("utf-8", "replace")
    head = b'--%s\r\nContent-Disposition: form-data; name="file"; filename="%s"\r\n\r\n' % (border.encode(), plain)
    body = head + content + f"\r\n--{border}--\r\n".encode()
    headers = {"Content-Type": f"multipart/form-data; boundary={border}"}
    with urllib.request.urlopen(urllib.request.Request(address, body, headers, method="PUT"), timeout=PATIENCE):
        pass


@contextmanager
def visiting(server: Server) -> Iterator[Visitor]:
    """A new visitor, who leaves at the end of the block."""
    stream = f"ws{server.address[4:]}/_stcore/stream"
    with connect(stream, subprotocols=["streamlit"], max_size=None, open_timeout=30) as channel:
        yield Visitor(channel, server)
