"""A mail server for tests, of aiosmtpd: keeps what it is sent as files in a directory.

Arguments: the directory, how it is protected (starttls, tls or none), a user and a password, or
'-' for no login. In the directory: server.pem with certificate and key; rcpt and data, where they
are there, hold the reply to that command.
"""

import asyncio
import pathlib
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

directory, protection, user, password = sys.argv[1:]
directory = pathlib.Path(directory)


def told(name):
    try:
        return (directory / name).read_text().strip() or None
    except FileNotFoundError:
        return None


def keep(name, content):
    """Whole or not at all, for whoever looks meanwhile."""
    hidden = directory / ("." + name)
    hidden.write_bytes(content)
    hidden.rename(directory / name)


class Handler:
    count = 0

    async def handle_RCPT(self, server, session, envelope, address, options):
        reply = told("rcpt")
        if reply:
            with open(directory / "refused", "a") as refused:
                refused.write(address + "\n")
            return reply
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        reply = told("data")
        if reply:
            return reply
        Handler.count += 1
        keep(f"{Handler.count:06}.eml", envelope.content)
        return f"250 OK, taken as {Handler.count}"


def authenticate(server, session, envelope, mechanism, data):
    with open(directory / "logins", "ab") as logins:
        logins.write(data.login + b":" + data.password + b"\n")
    good = (data.login, data.password) == (user.encode(), password.encode())
    return AuthResult(success=good, handled=False)


async def main():
    context = None
    if protection != "none":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(directory / "server.pem")
    login = user != "-"

    def session():
        return SMTP(
            Handler(),
            hostname="mail.test",
            tls_context=context if protection == "starttls" else None,
            require_starttls=protection == "starttls",
            authenticator=authenticate if login else None,
            auth_required=login,
            auth_require_tls=protection == "starttls",
        )

    server = await asyncio.get_running_loop().create_server(
        session, "127.0.0.1", 0, ssl=context if protection == "tls" else None
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
