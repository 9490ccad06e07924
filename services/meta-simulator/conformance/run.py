"""Drives the simulator with pywa, a WhatsApp client written by others, and lets pywa take its webhooks.

Needs LABWIRE_SIM_URL: a simulator started with the sample seed. Opens its own callback on a free port.
Prints one line for each check and a count; exits with 1 if a check failed.
"""

import hashlib
import hmac
import http.server
import json
import logging
import os
import pathlib
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request

import httpx
from pywa import WhatsApp, errors, types, utils
from pywa.types import Button, Section, SectionList, SectionRow
from pywa.types.templates import (
    BodyText,
    FooterText,
    HeaderDocument,
    HeaderText,
    ParamFormat,
    QuickReplyButton,
    Template,
    TemplateCategory,
    TemplateLanguage,
    URLButton,
)

SIMULATOR = os.environ["LABWIRE_SIM_URL"].rstrip("/")
NUMBER, WABA, APP = "300000000000001", "200000000000001", "100000000000001"
SECRET, VERIFY_TOKEN, TOKEN = "app_secret", "conformance-verify-token", "sample-token"
UNREACHABLE = "+919876543213"
PDF = b"%PDF-1.4\n1 0 obj<<>>endobj\n%%EOF\n"
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360606060000000050001a5f64540"
    "0000000049454e44ae426082"
)
PATIENCE_SECONDS = 10


def client() -> WhatsApp:
    session = httpx.Client(timeout=PATIENCE_SECONDS, trust_env=False)
    whatsapp = WhatsApp(
        phone_id=NUMBER,
        waba_id=WABA,
        token=TOKEN,
        app_id=APP,
        app_secret=SECRET,
        verify_token=VERIFY_TOKEN,
        session=session,
    )
    # pywa has no option for the address; the session it was given does.
    session.base_url = f"{SIMULATOR}/v{utils.Version.GRAPH_API.value}"
    return whatsapp


class Callback(http.server.ThreadingHTTPServer):
    """Hands webhooks to pywa, and a file to whoever follows a link."""

    daemon_threads = True

    def __init__(self, whatsapp: WhatsApp):
        super().__init__(("127.0.0.1", 0), Handler)
        self.whatsapp = whatsapp
        self.raw: list[tuple[bytes, str, int]] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}{path}"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        url = urllib.parse.urlparse(self.path)
        if url.path == "/report.pdf":
            self.answer(200, PDF, "application/pdf")
            return
        query = dict(urllib.parse.parse_qsl(url.query))
        text, status = self.server.whatsapp.webhook_challenge_handler(
            vt=query.get(utils.HUB_VT), ch=query.get(utils.HUB_CH)
        )
        self.answer(status, text.encode())

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        signature = self.headers[utils.HUB_SIG]
        text, status = self.server.whatsapp.webhook_update_validator(
            body, signature
        ) or self.server.whatsapp.webhook_update_handler(body)
        self.server.raw.append((body, signature, status))
        self.answer(status, text.encode())

    def answer(self, status: int, body: bytes, content_type: str = "text/plain"):
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Inbox:
    """What pywa's handlers were given."""

    def __init__(self, whatsapp: WhatsApp):
        self.updates: list[object] = []

        @whatsapp.on_raw_update
        @whatsapp.on_message
        @whatsapp.on_message_status
        @whatsapp.on_callback_button
        @whatsapp.on_callback_selection
        @whatsapp.on_template_status_update
        def keep(_: WhatsApp, update: object):
            self.updates.append(update)

    def wait(self, kind: type, test=lambda update: True):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            for update in list(self.updates):
                if isinstance(update, kind) and test(update):
                    return update
            time.sleep(0.01)
        raise AssertionError(f"no {kind.__name__} came that fits, among {len(self.updates)}")

    def failure(self, message_id: str) -> errors.WhatsAppError:
        """The cause in a failed status, which pywa reads from the raw update.

        It makes no MessageStatus of it: that wants a contact, which a failed status to a phone does not have.
        """

        def failures(update: types.RawUpdate) -> list[dict]:
            statuses = update["entry"][0]["changes"][0]["value"].get("statuses", [])
            return [it for it in statuses if (it["id"], it["status"]) == (message_id, "failed")]

        update = self.wait(types.RawUpdate, failures)
        [failed] = failures(update)
        # Other messages' statuses may have come with it, and their contacts.
        contacts = update["entry"][0]["changes"][0]["value"].get("contacts", [])
        assert failed["recipient_id"] not in [it.get("wa_id") for it in contacts], contacts
        return errors.WhatsAppError.from_dict(error=failed["errors"][0])

    def status(self, message_id: str, status: str):
        return self.wait(
            types.MessageStatus,
            lambda update: update.id == message_id and update.status == status,
        )


def control(path: str, body: object) -> dict:
    request = urllib.request.Request(
        f"{SIMULATOR}/_sim/{path}",
        data=json.dumps(body).encode(),
        headers={"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
        return json.load(answer)


def inbound(patient: str, **content) -> str:
    return control("inbound", {"phone_number_id": NUMBER, "from": patient, **content})["id"]


def refused(error: type, call, *arguments, **named):
    try:
        call(*arguments, **named)
    except error as raised:
        return raised
    raise AssertionError(f"not refused with {error.__name__}")


def equal(left, right):
    assert left == right, f"{left!r} is not {right!r}"


CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


class World:
    """What the checks share. Each has a patient of its own, as one user may not be written to too often."""

    def __init__(self):
        self.patients = 0
        self.wa = client()
        self.inbox = Inbox(self.wa)
        self.callback = Callback(self.wa)
        self.report = None

    def patient(self) -> str:
        """Someone who has just written, so that any message may be sent."""
        self.patients += 1
        phone = f"+9170000{self.patients:05}"
        control(f"conversations/{NUMBER}/{phone[1:]}/window", {})
        return phone


@check
def the_app_token_is_given_for_the_secret_and_the_callback_passes_the_challenge(world):
    token = world.wa.get_app_access_token(int(APP), SECRET)
    assert world.wa.set_app_callback_url(int(APP), token, world.callback.url("/"), VERIFY_TOKEN, ("messages",))


@check
def a_callback_with_another_verify_token_is_refused(world):
    token = world.wa.get_app_access_token(int(APP), SECRET)
    refused(
        errors.WhatsAppError, world.wa.set_app_callback_url,
        int(APP), token, world.callback.url("/"), "another", ("messages",),
    )


@check
def a_text_outside_the_window_fails_with_re_engagement(world):
    sent = world.wa.send_message("+917000099999", "too early")
    assert isinstance(world.inbox.failure(sent.id), errors.ReEngagementMessage)


@check
def an_inbound_text_arrives_with_its_escaped_characters(world):
    patient = world.patient()
    control("recipients", {"phone": patient, "name": "Meera / मीरा"})
    text = "धन्यवाद / <thanks> \"quoted\" \\ 👍 é"
    message_id = inbound(patient, type="text", body=text)
    message = world.inbox.wait(types.Message, lambda update: update.id == message_id)
    equal(message.text, text)
    equal(message.from_user.wa_id, patient[1:])
    equal(message.from_user.name, "Meera / मीरा")
    assert message.from_user.bsuid.startswith("IN."), message.from_user


@check
def a_text_goes_from_sent_to_read_with_its_tracker(world):
    patient = world.patient()
    sent = world.wa.send_message(patient, "hello *there*", tracker="tracker-1", preview_url=True)
    equal(sent.chat.id, patient[1:])
    for status in ("sent", "delivered", "read"):
        equal(world.inbox.status(sent.id, status).tracker, "tracker-1")
    equal(world.inbox.status(sent.id, "sent").pricing.category.value, "service")


@check
def a_reply_and_a_reaction_are_accepted(world):
    patient = world.patient()
    message_id = inbound(patient, type="text", body="a question")
    world.inbox.status(world.wa.send_message(patient, "an answer", reply_to_message_id=message_id).id, "read")
    world.inbox.status(world.wa.send_reaction(patient, "🙏", message_id).id, "sent")


@check
def buttons_are_sent_and_their_reply_arrives(world):
    patient = world.patient()
    buttons = [Button(title="Yes / हाँ", callback_data="yes"), Button(title="No", callback_data="no")]
    sent = world.wa.send_message(patient, "Book a visit?", footer="Sunrise", buttons=buttons)
    inbound(patient, type="button_reply", id="yes", title="Yes / हाँ", reply_to=sent.id)
    reply = world.inbox.wait(types.CallbackButton, lambda update: update.data == "yes")
    equal(reply.title, "Yes / हाँ")
    equal(reply.reply_to_message.id, sent.id)


@check
def a_list_is_sent_and_its_reply_arrives(world):
    patient = world.patient()
    rows = [SectionRow(title="Ten", callback_data="slot-10", description="Dr Rao")]
    sections = SectionList(button_title="Slots", sections=[Section(title="Monday", rows=rows)])
    sent = world.wa.send_message(patient, "Which slot?", buttons=sections)
    inbound(patient, type="list_reply", id="slot-10", title="Ten", description="Dr Rao", reply_to=sent.id)
    reply = world.inbox.wait(types.CallbackSelection, lambda update: update.data == "slot-10")
    equal((reply.title, reply.description), ("Ten", "Dr Rao"))


@check
def a_link_button_is_sent(world):
    patient = world.patient()
    button = types.URLButton(title="Open", url="https://lab.example/report")
    world.inbox.status(world.wa.send_message(patient, "See", buttons=button).id, "read")


@check
def a_location_is_sent_and_one_arrives(world):
    patient = world.patient()
    world.inbox.status(world.wa.send_location(patient, 12.97, 77.59, "Lab", "MG Road").id, "read")
    message_id = inbound(patient, type="location", latitude=12.5, longitude=77.5, name="Home")
    equal(world.inbox.wait(types.Message, lambda update: update.id == message_id).location.name, "Home")


@check
def a_document_is_uploaded_described_and_downloaded(world):
    media = world.wa.upload_media(PDF, mime_type="application/pdf", filename="report.pdf")
    world.report = media.id
    url = world.wa.get_media_url(media.id)
    equal((url.mime_type, url.file_size, url.sha256), ("application/pdf", len(PDF), hashlib.sha256(PDF).hexdigest()))
    with tempfile.TemporaryDirectory() as folder:
        file = world.wa.download_media(url=url.url, path=pathlib.Path(folder), filename="r.pdf")
        equal(file.read_bytes(), PDF)


@check
def a_download_without_a_token_is_refused(world):
    url = world.wa.get_media_url(world.report).url
    equal(httpx.get(url, trust_env=False).status_code, 401)


@check
def a_document_is_sent_by_its_id(world):
    patient = world.patient()
    sent = world.wa.send_document(patient, world.report, filename="report.pdf", caption="Your report")
    world.inbox.status(sent.id, "read")


@check
def a_document_is_sent_from_its_bytes(world):
    patient = world.patient()
    sent = world.wa.send_document(patient, PDF, filename="report.pdf", mime_type="application/pdf")
    world.inbox.status(sent.id, "delivered")


@check
def a_document_is_sent_by_a_link(world):
    patient = world.patient()
    sent = world.wa.send_document(patient, world.callback.url("/report.pdf"), filename="report.pdf")
    world.inbox.status(sent.id, "delivered")


@check
def a_link_that_leads_nowhere_fails_later(world):
    patient = world.patient()
    sent = world.wa.send_document(patient, "http://127.0.0.1:9/none.pdf", filename="none.pdf")
    assert isinstance(world.inbox.failure(sent.id), errors.MediaUploadError)


@check
def an_image_is_sent_with_its_caption(world):
    patient = world.patient()
    world.inbox.status(world.wa.send_image(patient, PNG, caption="Scan", mime_type="image/png").id, "read")


@check
def a_named_template_with_a_document_is_sent(world):
    patient = world.patient()
    sent = world.wa.send_template(
        patient, "report_ready", TemplateLanguage.HINDI,
        [
            HeaderDocument.params(document=world.report, filename="रिपोर्ट.pdf"),
            BodyText.params(patient_name="मीरा", test_name="CBC", lab_name="Sunrise"),
            QuickReplyButton.params(callback_data="book", index=0),
        ],
        tracker="tracker-2",
    )
    status = world.inbox.status(sent.id, "delivered")
    equal((status.tracker, status.pricing.category.value), ("tracker-2", "utility"))
    inbound(patient, type="button", payload="book", text="अपॉइंटमेंट बुक करें", reply_to=sent.id)
    world.inbox.wait(types.CallbackButton, lambda update: update.data == "book")


@check
def a_positional_template_with_a_link_is_sent(world):
    patient = world.patient()
    sent = world.wa.send_template(
        patient, "appointment_reminder", TemplateLanguage.ENGLISH_US,
        [HeaderText.params("tomorrow"), BodyText.params("Meera", "Monday", "10:00"), URLButton.params(url_variable="a1", index=0)],
    )
    world.inbox.status(sent.id, "delivered")


@check
def a_template_with_too_many_parameters_is_refused(world):
    patient = world.patient()
    refused(
        errors.TemplateParamCountMismatch, world.wa.send_template,
        patient, "health_camp", TemplateLanguage.ENGLISH_US, [BodyText.params("Sunday", "Monday")],
    )


@check
def an_unknown_template_is_refused(world):
    patient = world.patient()
    refused(errors.TemplateNotExists, world.wa.send_template, patient, "none", TemplateLanguage.ENGLISH_US, [])


@check
def templates_are_listed(world):
    found = {(template.name, template.language.value): template for template in world.wa.get_templates()}
    hindi = found[("report_ready", "hi")]
    equal((hindi.parameter_format, hindi.status.value), (ParamFormat.NAMED, "APPROVED"))
    assert len(found) >= 4, found


@check
def a_template_is_created_and_approved(world):
    patient = world.patient()
    name = f"created_{int(time.time() * 1000)}"
    created = world.wa.create_template(
        Template(
            name=name, category=TemplateCategory.UTILITY, language=TemplateLanguage.ENGLISH_US,
            parameter_format=ParamFormat.NAMED,
            components=[
                BodyText(text="Hello {{patient}}, your sample has reached us.", patient="Meera"),
                FooterText(text="Sunrise"),
            ],
        )
    )
    equal(created.status.value, "PENDING")
    update = world.inbox.wait(types.TemplateStatusUpdate, lambda update: update.template_name == name)
    equal(update.new_status.value, "APPROVED")
    sent = world.wa.send_template(patient, name, TemplateLanguage.ENGLISH_US, [BodyText.params(patient="Meera")])
    world.inbox.status(sent.id, "sent")


@check
def a_message_is_marked_as_read_and_typing_is_shown(world):
    patient = world.patient()
    message_id = inbound(patient, type="text", body="are you there?")
    assert world.wa.mark_message_as_read(message_id)
    assert world.wa.indicate_typing(message_id)


@check
def a_file_from_a_patient_is_downloaded(world):
    patient = world.patient()
    message_id = inbound(
        patient, type="media", kind="document", mime_type="application/pdf", filename="old.pdf", data="JVBERi0xLjQ="
    )
    message = world.inbox.wait(types.Message, lambda update: update.id == message_id)
    equal((message.document.filename, message.document.get_bytes()), ("old.pdf", b"%PDF-1.4"))


@check
def a_number_that_is_not_on_whatsapp_fails_later(world):
    sent = world.wa.send_template(
        UNREACHABLE, "health_camp", TemplateLanguage.ENGLISH_US, [BodyText.params("Sunday")]
    )
    assert isinstance(world.inbox.failure(sent.id), errors.MessageUndeliverable)


@check
def the_number_and_its_account_are_described(world):
    equal(world.wa.get_business_phone_number().verified_name, "Sunrise Diagnostics")
    equal([number.id for number in world.wa.get_business_phone_numbers()], [NUMBER])


@check
def throughput_and_an_expired_token_raise_the_errors_pywa_knows(world):
    patient = world.patient()
    control("faults", {"effect": "error", "code": 130429, "times": 1})
    refused(errors.RateLimitHit, world.wa.send_message, patient, "fast")
    control("tokens/expire", {"token": TOKEN})
    try:
        raised = refused(errors.WhatsAppError, world.wa.send_message, patient, "late")
        equal((raised.code, raised.subcode), (190, 463))
    finally:
        control("tokens/repair", {"token": TOKEN})


@check
def a_deleted_file_is_gone(world):
    assert world.wa.delete_media(world.report)
    refused(errors.WhatsAppError, world.wa.get_media_url, world.report)


@check
def every_webhook_was_signed_ascii_and_accepted(world):
    assert len(world.callback.raw) > 40, len(world.callback.raw)
    for body, _, status in world.callback.raw:
        equal(status, 200)
        assert body.isascii()
    assert any(rb"\u0927\u0928\u094d\u092f" in body and rb" \/ " in body for body, _, _ in world.callback.raw)


@check
def a_wrong_signature_is_refused_by_pywa(world):
    body, signature, _ = next(entry for entry in world.callback.raw if rb"\u0927" in entry[0])
    assert world.wa.webhook_update_validator(body, signature) is None
    forged = "sha256=" + hmac.new(b"another_secret", body, hashlib.sha256).hexdigest()
    equal(world.wa.webhook_update_validator(body, forged)[1], 403)
    equal(world.wa.webhook_update_validator(body + b" ", signature)[1], 403)
    rewritten = json.dumps(json.loads(body), ensure_ascii=False, separators=(",", ":")).encode()
    equal(world.wa.webhook_update_validator(rewritten, signature)[1], 403)
    equal(world.wa.webhook_update_validator(body, None)[1], 401)


def main() -> int:
    logging.getLogger("pywa").setLevel(logging.CRITICAL)
    world = World()
    failed = 0
    for function in CHECKS:
        sentence = function.__name__.replace("_", " ")
        try:
            function(world)
            print(f"ok    {sentence}", flush=True)
        except Exception as error:
            failed += 1
            print(f"FAIL  {sentence}: {type(error).__name__}: {error}", flush=True)
    print(f"{len(CHECKS) - failed} of {len(CHECKS)} checks passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
