"""TLS client certificates: whom they prove, and that a wrong one is as good as none."""

import base64
import hashlib
import subprocess
import time
import unittest

from e2e.case import EchoCase

DONE, REFUSED = 0, 1


class Certificates(EchoCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.work = cls.folder / "certificates"
        cls.work.mkdir()
        (cls.work / "server.pem").write_text(cls.server.certificate())
        cls.authority("root")
        cls.authority("other")

    @classmethod
    def openssl(cls, *arguments):
        done = subprocess.run(["openssl", *arguments], cwd=cls.work, capture_output=True,
                              timeout=60)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    @classmethod
    def authority(cls, name):
        cls.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.pem", "-subj",
                    f"/CN={name}", "-days", "30")

    @classmethod
    def client(cls, name, issuer, more="", days=30, ca=False):
        """A certificate by `issuer`; with its issuer's behind it where that is no root."""
        extensions = cls.work / f"{name}.ext"
        extensions.write_text(f"basicConstraints=critical,CA:{'TRUE' if ca else 'FALSE'}\n{more}\n")
        cls.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        cls.openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{issuer}.pem", "-CAkey",
                    f"{issuer}.key", "-CAcreateserial", "-out", f"{name}.pem", "-days", str(days),
                    "-extfile", str(extensions))
        if issuer not in ("root", "other"):
            path = cls.work / f"{name}.pem"
            path.write_text(path.read_text() + (cls.work / f"{issuer}.pem").read_text())

    def key_digest(self, name):
        spki = self.openssl("pkey", "-in", f"{name}.key", "-pubout", "-outform", "DER")
        return hashlib.sha256(spki).hexdigest()

    def der(self, name):
        return base64.b64encode(
            self.openssl("x509", "-in", f"{name}.pem", "-outform", "DER")).decode()

    def curl(self, path, certificate=None, *headers):
        """(status, body)"""
        arguments = ["curl", "-s", "--noproxy", "*", "--insecure", "--pinnedpubkey",
                     self.server.pin, "-w", "\n%{http_code}", self.url(path)]
        if certificate:
            arguments += ["--cert", f"{certificate}.pem", "--key", f"{certificate}.key"]
        for header in headers:
            arguments += ["-H", header]
        done = subprocess.run(arguments, cwd=self.work, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        body, status = done.stdout.rsplit("\n", 1)
        return int(status), body

    def principal(self, role="caller"):
        made = self.http.post(self.url("/v2/principals"), json={"name": "client", "role": role})
        self.assertEqual(made.status_code, 201, made.text)
        return made.json()["principal"]

    def put(self, path, body, session=None):
        return (session or self.http).put(self.url(path), json=body)

    def bind(self, principal, **binding):
        answer = self.put(f"/v2/principals/{principal}/certificate", binding)
        self.assertEqual(answer.status_code, 200, answer.text)

    def add_authority(self, name):
        answer = self.put(f"/v2/authorities/{name}", {"certificate": self.der(name)})
        self.assertEqual(answer.status_code, 200, answer.text)

    def test_refuses_bindings_and_authorities_that_mean_nothing(self):
        principal = self.principal()
        path = f"/v2/principals/{principal}/certificate"
        for body in ([], {}, {"key": "00"}, {"key": "0" * 64, "name": "x"}, {"authority": "root"},
                     {"authority": "root", "name": ""}):
            self.assertIn(self.put(path, body).status_code, (400, 404), str(body))
        nowhere = {"authority": "nowhere", "name": "x"}
        self.assert_error(self.put(path, nowhere), 404, "not_found")
        self.client("leaf", "root")
        for certificate in ("", "AAAA", self.der("leaf")):
            answer = self.put("/v2/authorities/bad", {"certificate": certificate})
            self.assert_error(answer, 400, "invalid")

    def test_answers_a_wrong_certificate_as_it_answers_none(self):
        self.add_authority("root")
        principal = self.principal()
        self.bind(principal, authority="root", name="wrong")
        none = self.curl("/v2/models")
        self.assertEqual(none[0], 401)
        self.client("stranger", "root")
        self.client("wrong", "other")
        for name in ("stranger", "wrong", "root"):
            self.assertEqual(self.curl("/v2/models", name), none, name)
        self.client("wrong", "root", "extendedKeyUsage=serverAuth")
        self.assertEqual(self.curl("/v2/models", "wrong"), none)
        self.client("wrong", "root")
        self.assertEqual(self.curl("/v2/models", "wrong")[0], 200)
        token = ("Authorization: Bearer clst_" + "A" * 43,)
        self.assertEqual(self.curl("/v2/models", "wrong", *token), none)

    def test_lets_a_name_below_an_authority_act_as_its_principal_until_it_may_not(self):
        self.add_authority("root")
        principal = self.principal()
        self.http.put(self.url("/v2/models/echo/grants"),
                      json={"principal": principal, "rights": ["metadata"]})
        self.client("middle", "root", "keyUsage=critical,keyCertSign,cRLSign", ca=True)
        self.client("pay", "middle", "subjectAltName=DNS:pay.bank.example")
        self.bind(principal, authority="root", name="pay.bank.example")
        status, body = self.curl("/v2/models/owner.echo", "pay")
        self.assertEqual(status, 200, body)
        self.bind(principal, authority="root", name="pay")
        self.assertEqual(self.curl("/v2/models", "pay")[0], 401)
        self.bind(principal, authority="root", name="pay.bank.example")
        self.assertEqual(self.http.delete(self.url("/v2/authorities/root")).status_code, 200)
        self.assertEqual(self.curl("/v2/models", "pay")[0], 401)
        self.add_authority("root")
        self.assertEqual(self.curl("/v2/models", "pay")[0], 200)
        self.http.delete(self.url(f"/v2/principals/{principal}/certificate"))
        self.assertEqual(self.curl("/v2/models", "pay")[0], 401)

    def test_lets_a_key_act_and_asks_whom_it_means_where_it_proves_several(self):
        first, second = self.principal(), self.principal("owner")
        self.client("keyed", "other")
        self.bind(first, key=self.key_digest("keyed"))
        self.assertEqual(self.curl("/v2/models", "keyed")[0], 200)
        self.bind(second, key=self.key_digest("keyed"))
        self.assertEqual(self.curl("/v2/models", "keyed")[0], 401)
        status, body = self.curl("/v2/audit", "keyed", f"Cloister-Principal: {second}")
        self.assertEqual(status, 200, body)
        self.assertIn(f'"of":"{second}"', body)
        self.assertEqual(self.curl("/v2/audit", "keyed", f"Cloister-Principal: {first}")[0], 403)
        self.assertEqual(self.curl("/v2/audit", "keyed", "Cloister-Principal: owner")[0], 401)
        self.http.delete(self.url(f"/v2/principals/{second}"))
        self.assertEqual(self.curl("/v2/models", "keyed")[0], 200)

    def test_honours_expiry(self):
        principal = self.principal()
        self.client("brief", "other", days=0)
        self.bind(principal, key=self.key_digest("brief"))
        deadline = time.monotonic() + 20
        while self.curl("/v2/models", "brief")[0] == 200:  # it is good for this second
            self.assertLess(time.monotonic(), deadline)
        self.assertEqual(self.curl("/v2/models", "brief")[0], 401)

    def expect(self, code, *arguments):
        done = self.ask(*arguments)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout

    def test_is_told_by_the_command_line_whom_certificates_prove(self):
        principal = self.principal()
        self.client("told", "root")
        root, told = str(self.work / "root.pem"), str(self.work / "told.pem")
        certificate = ("principal", "certificate", principal)
        self.expect(REFUSED, "authority", "add", "ours", told)
        self.expect(REFUSED, *certificate, "--authority", "ours", "--name", "told")
        self.expect(REFUSED, *certificate)
        self.expect(REFUSED, "principal", "certificate", "nobody-aaaaaaaa", "--key", told)
        self.expect(REFUSED, "authority", "remove", "ours")
        self.assertEqual(self.curl("/v2/models", "told")[0], 401)
        self.expect(DONE, "authority", "add", "ours", root)
        digest = hashlib.sha256(base64.b64decode(self.der("root"))).hexdigest()
        self.assertIn(f"ours  sha256:{digest}", self.expect(DONE, "authority", "list"))
        self.expect(DONE, *certificate, "--authority", "ours", "--name", "told")
        self.assertEqual(self.curl("/v2/models", "told")[0], 200)
        self.expect(DONE, "authority", "remove", "ours")
        self.assertEqual(self.curl("/v2/models", "told")[0], 401)
        self.expect(DONE, *certificate, "--key", told)
        self.assertEqual(self.curl("/v2/models", "told")[0], 200)
        self.expect(DONE, *certificate, "--none")
        self.assertEqual(self.curl("/v2/models", "told")[0], 401)

    def test_keeps_owners_apart(self):
        self.add_authority("root")
        lab = self.principal("owner")
        token = self.http.post(self.url(f"/v2/principals/{lab}/tokens")).json()["token"]
        with self.server.session(token) as session:
            self.assertEqual(session.get(self.url("/v2/authorities")).json(), [])
            self.assertEqual(session.delete(self.url("/v2/authorities/root")).status_code, 404)
            made = session.post(self.url("/v2/principals"), json={"name": "x", "role": "caller"})
            theirs = made.json()["principal"]
            answer = self.put(f"/v2/principals/{theirs}/certificate",
                              {"authority": "root", "name": "x"}, session)
            self.assertEqual(answer.status_code, 404)
        names = [each["authority"] for each in self.http.get(self.url("/v2/authorities")).json()]
        self.assertIn("root", names)


if __name__ == "__main__":
    unittest.main()
