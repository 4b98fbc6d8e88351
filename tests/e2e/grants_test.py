"""Who may do what: every cell of the table in docs/access.md, and what grants and usage promise."""

import re
import time
import unittest

import numpy as np

from e2e.case import ROOT, ServerCase, identity_model, npy

ALL_RIGHTS = ["infer", "metadata", "manage"]


def documented_table(part="## The table"):
    """The rows of a part of docs/access.md: route, then the status for each column by name."""
    text = (ROOT / "docs" / "access.md").read_text().split(f"\n{part}\n")[1].split("\n##")[0]
    lines = [line for line in text.splitlines() if line.startswith("|")]
    columns = [cell.strip() for cell in lines[0].strip("|").split("|")][1:]
    rows = []
    for line in lines[2:]:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        rows.append((cells[0], dict(zip(columns, map(int, cells[1:]), strict=True))))
    return columns, rows


class Grants(ServerCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.model = identity_model()
        openapi = cls.http.get(cls.server.url + "/v2/openapi.json").json()
        example = openapi["paths"]["/v2/authorities/{a}"]["put"]["requestBody"]["content"]
        cls.authority = example["application/json"]["example"]["certificate"]
        for name in ("shared", "secret", "doomed"):
            response = cls.http.put(cls.server.url + f"/v2/models/{name}/versions/1",
                                    data=cls.model)
            assert response.status_code == 201, response.text
        cls.nobody = cls.server.session(token="")
        cls.addClassCleanup(cls.nobody.close)
        cls.people = {role: cls.new_principal(cls.http, "person", role)
                      for role in ("owner", "caller", "operator")}
        for role in ("owner", "caller"):
            for model in ("shared", "doomed"):
                cls.grant(model, cls.people[role][0], ALL_RIGHTS)

    @classmethod
    def new_principal(cls, creator, name, role):
        """(id, a session in his name)"""
        made = creator.post(cls.server.url + "/v2/principals", json={"name": name, "role": role})
        assert made.status_code == 201, made.text
        principal = made.json()["principal"]
        minted = creator.post(cls.server.url + f"/v2/principals/{principal}/tokens")
        assert minted.status_code == 201, minted.text
        session = cls.server.session(minted.json()["token"])
        cls.addClassCleanup(session.close)
        return principal, session

    @classmethod
    def grant(cls, model, principal, rights, **more):
        given = cls.http.put(cls.server.url + f"/v2/models/{model}/grants",
                             json={"principal": principal, "rights": rights, **more})
        assert given.status_code == 200, given.text
        return given.json()

    def infer(self, session, model, version=None):
        middle = f"/versions/{version}" if version else ""
        return session.post(self.url(f"/v2/models/{model}{middle}/infer"),
                            data=npy(np.ones(3, np.float32)),
                            headers={"Content-Type": "application/x-npy"})

    def send(self, session, route, model):
        """One request of the table, in the form that would succeed for whom it is meant."""
        method, path = route.split(" ")[0].strip("`"), route.split(" ")[1].strip("`")
        url = self.url(path.replace("{m}", model))
        arguments = {}
        if path.endswith("/infer"):
            arguments = {"data": npy(np.ones(3, np.float32)),
                         "headers": {"Content-Type": "application/x-npy"}}
        elif method == "PUT" and path.endswith("/grants"):
            arguments = {"json": {"principal": "somebody", "rights": ["infer"]}}
        elif method == "DELETE" and path.endswith("/grants"):
            arguments = {"params": {"principal": "somebody"}}
        elif path.startswith("/v2/authorities/"):
            url = url.replace("{a}", "table")
            arguments = {"json": {"certificate": self.authority}}
            if method == "DELETE":
                session.put(url, **arguments)
                arguments = {}
        elif method == "PUT":
            arguments = {"data": self.model}
        elif path == "/v2/principals" and method == "POST":
            arguments = {"json": {"name": "someone", "role": "caller"}}
        return session.request(method, url, **arguments)

    def actor(self, column):
        """(session, how he names the model) for a column of the table."""
        if column == "nobody":
            return self.nobody, {"m": "shared", "doomed": "doomed"}
        role, whose = column.split(", ")
        if whose == "own":
            return self.http, {"m": "shared", "doomed": "doomed"}
        names = {"granted": {"m": "owner.shared", "doomed": "owner.doomed"},
                 "foreign": {"m": "owner.secret", "doomed": "owner.secret"},
                 "absent": {"m": "owner.nothing", "doomed": "owner.nothing"}}
        return self.people[role][1], names[whose]

    def test_gives_every_role_exactly_what_the_table_says(self):
        columns, rows = documented_table()
        self.assertEqual(len(columns), 10)
        self.assertGreaterEqual(len(rows), 16)
        # What destroys a model comes last, and for its owner at the very end.
        rows.sort(key=lambda row: "versions/1`" in row[0] and "DELETE" in row[0])
        for route, expected in rows:
            destroys = "versions/1`" in route and "DELETE" in route
            for column in sorted(columns, key=lambda name: name == "owner, own"):
                with self.subTest(f"{route} as {column}"):
                    session, names = self.actor(column)
                    response = self.send(session, route, names["doomed" if destroys else "m"])
                    self.assertEqual(response.status_code, expected[column], response.text)

    def test_documents_every_route_that_wants_a_credential(self):
        described = self.http.get(self.url("/v2/openapi.json")).json()["paths"]
        served = {(method.upper(), re.sub(r"/versions/{v}(?=/|$)", "/versions/1", path))
                  for path, item in described.items() for method, operation in item.items()
                  if method != "parameters" and operation.get("security") != []}
        documented = {tuple(re.findall(r"`(\S+) (\S+)`", route)[0])
                      for part in ("## The table", "### Principals")
                      for route, _ in documented_table(part)[1]}
        for method, path in sorted(served):
            plain = path.replace("/versions/1", "") if method in ("GET", "POST") else path
            with self.subTest(f"{method} {path}"):
                self.assertIn((method, plain), documented)

    def about_principal(self, session, route, principal):
        """One request of the table of principals, in the form that would succeed."""
        method, path = re.findall(r"`(\S+) (\S+)`", route)[0]
        bodies = {"quota": {"runs": 8}, "certificate": {"key": "0" * 64}}
        arguments = {"json": bodies[path.rsplit("/", 1)[1]]} if method == "PUT" else {}
        return session.request(method, self.url(path.replace("{p}", principal)), **arguments)

    def test_gives_every_role_what_the_table_of_principals_says(self):
        columns, rows = documented_table("### Principals")
        self.assertEqual(len(columns), 11)
        foreign = self.new_principal(self.people["owner"][1], "theirs", "caller")[0]
        for route, expected in rows:
            for column in columns:
                role, _, whose = column.partition(", ")
                # Created anew each time: some rows end a principal or the tokens he came with.
                created, session = self.new_principal(self.http, "asked", role if whose else
                                                      "caller")
                if whose == "created":
                    session = self.http
                target = {"created": created, "himself": created, "foreign": foreign,
                          "absent": "nobody-aaaaaaaa"}.get(whose, created)
                with self.subTest(f"{route} as {column}"):
                    answer = self.about_principal(session if whose else self.nobody, route, target)
                    self.assertEqual(answer.status_code, expected[column], answer.text)

    def test_answers_for_a_foreign_principal_word_for_word_as_for_an_absent_one(self):
        foreign = self.new_principal(self.people["owner"][1], "theirs", "caller")[0]
        for route, _ in documented_table("### Principals")[1]:
            for role in ("owner", "caller", "operator"):
                with self.subTest(f"{route} as {role}"):
                    session = self.new_principal(self.http, "asker", role)[1]
                    answers = [self.about_principal(session, route, principal)
                               for principal in (foreign, "nobody-aaaaaaaa")]
                    self.assertEqual(answers[0].status_code, answers[1].status_code)
                    self.assertEqual(answers[0].content, answers[1].content)

    def test_answers_for_a_foreign_model_word_for_word_as_for_an_absent_one(self):
        _, rows = documented_table()
        for role in ("owner", "caller", "operator"):
            session = self.people[role][1]
            for route, _ in rows:
                if "{m}" not in route:
                    continue
                with self.subTest(f"{route} as {role}"):
                    foreign = self.send(session, route, "owner.secret")
                    absent = self.send(session, route, "owner.nothing")
                    self.assertEqual(foreign.status_code, absent.status_code)
                    self.assertEqual(foreign.content, absent.content)
                    self.assertEqual({k: v for k, v in foreign.headers.items() if k != "Date"},
                                     {k: v for k, v in absent.headers.items() if k != "Date"})

    def test_refuses_grants_that_say_nothing_or_too_much(self):
        for body in ({}, [], {"principal": "x"}, {"principal": "x", "rights": []},
                     {"principal": "x", "rights": ["erase"]}, {"principal": "x", "rights": "infer"},
                     {"principal": "x", "rights": ["infer"], "more": 1},
                     {"principal": "a.b", "rights": ["infer"]},
                     {"principal": "owner", "rights": ["infer"]},
                     {"principal": "x", "rights": ["infer"], "version": 0},
                     {"principal": "x", "rights": ["infer"], "expires_in": 0}):
            with self.subTest(str(body)):
                response = self.http.put(self.url("/v2/models/shared/grants"), json=body)
                self.assert_error(response, 400, "invalid")

    def test_keeps_each_right_to_itself(self):
        expected = {"infer": (200, 404, 404), "metadata": (404, 200, 404),
                    "manage": (404, 404, 200)}
        for right, (infer, metadata, manage) in expected.items():
            with self.subTest(right):
                principal, session = self.new_principal(self.http, right, "caller")
                self.grant("shared", principal, [right])
                self.assertEqual(self.infer(session, "owner.shared").status_code, infer)
                self.assertEqual(session.get(self.url("/v2/models/owner.shared")).status_code,
                                 metadata)
                load = session.post(self.url("/v2/repository/models/owner.shared/load"))
                self.assertEqual(load.status_code, manage)
                ready = session.get(self.url("/v2/models/owner.shared/ready"))
                self.assertEqual(ready.status_code, 200)
                listed = session.get(self.url("/v2/models")).json()
                self.assertEqual([each["name"] for each in listed], ["owner.shared"])

    def test_keeps_a_grant_of_one_version_to_it(self):
        for version in (1, 2, 3):
            self.assertEqual(self.upload("many", self.model, version).status_code, 201)
        principal, session = self.new_principal(self.http, "two", "caller")
        self.grant("many", principal, ["infer", "metadata"], version=2)
        self.assertEqual(self.infer(session, "owner.many", 2).status_code, 200)
        self.assertEqual(self.infer(session, "owner.many", 3).status_code, 404)
        self.assertEqual(self.infer(session, "owner.many").status_code, 200)
        described = session.get(self.url("/v2/models/owner.many")).json()
        self.assertEqual(described["versions"], ["2"])
        self.assertEqual(described["parameters"]["version"], "2")

    def test_ends_a_grant_at_once_when_it_is_taken_back_and_when_its_time_is_over(self):
        principal, session = self.new_principal(self.http, "brief", "caller")
        self.grant("shared", principal, ["infer"])
        self.assertEqual(self.infer(session, "owner.shared").status_code, 200)
        taken = self.http.delete(self.url("/v2/models/shared/grants"),
                                 params={"principal": principal})
        self.assertNotIn(principal, taken.text)
        self.assertEqual(self.infer(session, "owner.shared").status_code, 404)
        # Whole seconds: a life of N may end after a little more than N - 1.
        for life in (2, 8, 32):
            given = time.monotonic()
            self.grant("shared", principal, ["infer"], expires_in=life)
            status = self.infer(session, "owner.shared").status_code
            if time.monotonic() - given < life - 1:
                self.assertEqual(status, 200)
                break
        else:
            self.fail("no answer within the life of a grant")
        deadline = given + life + 30
        while self.infer(session, "owner.shared").status_code == 200:
            self.assertLess(time.monotonic(), deadline)
        self.assertGreater(time.monotonic() - given, life - 1)
        self.assertEqual(self.infer(session, "owner.shared").status_code, 404)

    def test_forgets_a_removed_principal_and_keeps_owners_from_each_others(self):
        lab, lab_session = self.new_principal(self.http, "lab", "owner")
        user, user_session = self.new_principal(lab_session, "user", "caller")
        for path in (f"/v2/principals/{user}", f"/v2/principals/{user}/tokens"):
            self.assert_error(self.http.delete(self.url(path)), 404, "not_found")
        self.assertNotIn(user, self.http.get(self.url("/v2/principals")).text)
        self.assertIn(user, lab_session.get(self.url("/v2/principals")).text)
        self.assertEqual(user_session.get(self.url("/v2/models")).status_code, 200)
        removed = lab_session.delete(self.url(f"/v2/principals/{user}"))
        self.assertEqual(removed.status_code, 200)
        self.assertEqual(user_session.get(self.url("/v2/models")).status_code, 401)
        self.assert_error(lab_session.post(self.url("/v2/principals"),
                                           json={"name": "x", "role": "owner"}), 403, "denied")
        self.assertNotEqual(self.new_principal(self.http, "lab", "owner")[0], lab)

    def set_quota(self, principal, **terms):
        answer = self.http.put(self.url(f"/v2/principals/{principal}/quota"), json=terms)
        self.assertEqual(answer.status_code, 200, answer.text)
        return answer.json()

    def test_refuses_past_a_quota_and_says_when_to_come_again(self):
        for body in ([], {"requests": -1}, {"requests": "1"}, {"interval": 0}, {"more": 1},
                     {"requests": 2**60}, {"interval": 10**9, "runs": 1}):
            with self.subTest(str(body)):
                principal = self.people["caller"][0]
                answer = self.http.put(self.url(f"/v2/principals/{principal}/quota"), json=body)
                self.assert_error(answer, 400, "invalid")
        principal, session = self.new_principal(self.http, "bounded", "caller")
        self.grant("shared", principal, ["infer"])
        said = self.set_quota(principal, requests=2, interval=3600)
        self.assertEqual(said, {"requests": 2, "interval": 3600})
        self.assertEqual(session.get(self.url(f"/v2/principals/{principal}/quota")).json(), said)
        for _ in range(2):
            self.assertEqual(self.infer(session, "owner.shared").status_code, 200)
        refused = self.infer(session, "owner.shared")
        self.assert_error(refused, 429, "quota", "requests")
        self.assertGreater(int(refused.headers["Retry-After"]), 3000)
        self.assertEqual(self.infer(session, "owner.secret").status_code, 404)
        self.set_quota(principal, runs=0)
        self.assert_error(self.infer(session, "owner.shared"), 429, "quota", "runs")
        self.set_quota(principal)
        self.assertEqual(self.infer(session, "owner.shared").status_code, 200)

    def test_bounds_what_an_owner_stores(self):
        lab, session = self.new_principal(self.http, "lab", "owner")
        self.set_quota(lab, versions=1)
        put = lambda number: session.put(self.url(f"/v2/models/m/versions/{number}"),
                                         data=self.model)
        self.assertEqual(put(1).status_code, 201)
        self.assert_error(put(2), 413, "too_large", "1 versions")
        self.set_quota(lab, stored_bytes=10)
        self.assert_error(put(2), 413, "too_large", "10 stored bytes")
        self.set_quota(lab)
        self.assertEqual(put(2).status_code, 201)

    def test_counts_what_was_answered_for_its_owner_and_its_caller_alone(self):
        principal, session = self.new_principal(self.http, "counted", "caller")
        self.assertEqual(self.upload("metered", self.model).status_code, 201)
        self.grant("metered", principal, ["infer"])
        for _ in range(3):
            self.assertEqual(self.infer(session, "owner.metered").status_code, 200)
        self.assertEqual(self.infer(session, "owner.secret").status_code, 404)
        mine = self.http.get(self.url("/v2/usage")).json()
        rows = [row for row in mine["of_my_models"] if row["model"] == "metered"]
        self.assertEqual(len(rows), 1)
        self.assertEqual((rows[0]["principal"], rows[0]["requests"]), (principal, 3))
        self.assertGreaterEqual(rows[0]["bytes_in"], 3 * 12)
        self.assertGreaterEqual(rows[0]["bytes_out"], 3 * 12)
        self.assertRegex(rows[0]["day"], r"^\d{4}-\d\d-\d\d$")
        his = session.get(self.url("/v2/usage")).json()
        self.assertEqual(his["of_my_models"], [])
        self.assertEqual([row["model"] for row in his["by_me"]], ["owner.metered"])
        self.assertTrue(his["complete"])
        stranger = self.people["owner"][1].get(self.url("/v2/usage")).json()
        self.assertNotIn("metered", str(stranger))


if __name__ == "__main__":
    unittest.main()
