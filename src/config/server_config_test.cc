#include "config/server_config.h"

#include <gtest/gtest.h>

namespace cloister {

struct DetailForTest {
  static std::string text(const Error& error) { return error.detail.reveal(DetailToken()); }
};

namespace {

std::string refusal_of(std::string_view text) {
  const auto parsed = parse_server_config(text);
  return parsed.ok() ? "accepted" : DetailForTest::text(parsed.error());
}

TEST(ParseServerConfig, RefusesUnknownKey) {
  EXPECT_EQ(refusal_of(R"({"store":"/s","stroe":1})"), R"("stroe": no such setting)");
}

TEST(ParseServerConfig, RefusesDuplicateKeyAndTrailingText) {
  EXPECT_NE(refusal_of(R"({"store":"/s","store":"/t"})"), "accepted");
  EXPECT_NE(refusal_of(R"({"store":"/s"} x)"), "accepted");
  EXPECT_NE(refusal_of(R"(["store"])"), "accepted");
}

TEST(ParseServerConfig, RefusesMissingStore) {
  EXPECT_EQ(refusal_of("{}"), R"("store": expected the folder of the encrypted store)");
}

TEST(ParseServerConfig, RefusesValuesOutOfRangeAndOfOtherTypes) {
  EXPECT_EQ(refusal_of(R"({"store":"/s","listen_port":65536})"),
            R"("listen_port": expected a whole number from 0 to 65535)");
  EXPECT_EQ(refusal_of(R"({"store":"/s","run_threads":0})"),
            R"("run_threads": expected a whole number from 1 to 64)");
  EXPECT_EQ(refusal_of(R"({"store":"/s","isolation":"none"})"),
            R"("isolation": expected "inline" or "process")");
  EXPECT_EQ(refusal_of(R"({"store":"/s","sandbox_require":["landlock","magic"]})").find(
                R"("sandbox_require": expected "seccomp" or)"),
            0U);
  EXPECT_NE(refusal_of(R"({"store":"/s","sandbox_require":"landlock"})"), "accepted");
  EXPECT_EQ(refusal_of(R"({"store":"/s","allow_swap":1})"),
            R"("allow_swap": expected true or false)");
  EXPECT_NE(refusal_of(R"({"store":"/s","names":[]})"), "accepted");
  EXPECT_NE(refusal_of(R"({"store":"/s","names":["a b"]})"), "accepted");
  EXPECT_NE(refusal_of(R"({"store":"/s","run_threads":1.5})"), "accepted");
  EXPECT_NE(refusal_of(R"({"store":"/s","run_threads":-1})"), "accepted");
  EXPECT_NE(refusal_of(R"({"store":"/s","owner":{"name":"a","key_sha256":"AAAA"}})"), "accepted");
  EXPECT_NE(refusal_of(R"({"store":"/s","preload":[{"owner":"a","model":"b"}]})"), "accepted");
  for (const char* pin : {"1", "\"true\"", "null"}) {
    const std::string preload = R"({"owner":"a","model":"b","version":1,"pin":)";
    EXPECT_NE(refusal_of(R"({"store":"/s","preload":[)" + preload + pin + "}]}"), "accepted");
  }
}

TEST(CanonicalText, SurvivesParsingAgain) {
  const auto config = parse_server_config(
      R"({"listen_port":0,"store":"/s","names":["a.example","::1"],"integrity":"full",
          "owner":{"name":"clinic","key_sha256":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="},
          "preload":[{"owner":"clinic","model":"m","version":3},
                     {"owner":"clinic","model":"m","version":4,"pin":false}],
          "import":{"folder":"/m","models":[{"owner":"clinic","model":"m","version":3,"sha256":
            "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}]},
          "sandbox_require":["landlock","pid-namespace"],"memory_budget_bytes":1048576})");
  ASSERT_TRUE(config.ok());
  EXPECT_TRUE(config.value().preload.at(0).pin);
  EXPECT_FALSE(config.value().preload.at(1).pin);
  const std::string text = canonical_text(config.value());
  const auto again = parse_server_config(text);
  ASSERT_TRUE(again.ok()) << DetailForTest::text(again.error());
  EXPECT_EQ(canonical_text(again.value()), text);
}

TEST(ParseServerConfig, RefusesImportsThatDoNotSayWhatComesIn) {
  for (const char* const import :
       {R"("/m")", R"({"folder":"/m"})", R"({"models":[]})", R"({"folder":"","models":[]})",
        R"({"folder":"/m","models":[{"owner":"a","model":"b","version":1}]})",
        R"({"folder":"/m","models":[{"owner":"a","model":"b","version":1,"sha256":"00"}]})",
        R"({"folder":"/m","models":[{"owner":"a","model":"b","version":"1","sha256":"00"}]})"}) {
    EXPECT_NE(refusal_of(R"({"store":"/s","import":)" + std::string(import) + "}"), "accepted")
        << import;
  }
  EXPECT_NE(refusal_of(R"({"store":"/s","sealed_key_seconds":0})"), "accepted");
}

TEST(ParseServerConfig, RefusesAnchorsAndPoliciesThatAreNone) {
  EXPECT_EQ(refusal_of(R"({"store":"/s","anchor":"etcd"})"),
            R"("anchor": expected "none" or "tpm")");
  EXPECT_NE(refusal_of(R"({"store":"/s","tpm_nv_index":1})"), "accepted");
  EXPECT_NE(refusal_of(R"({"store":"/s","upgrade_policy":"any"})"), "accepted");
}

TEST(CanonicalText, WritesTheUpgradePolicyInOneWay) {
  const auto first = parse_server_config(
      R"({"store":"/s","upgrade_policy":{ "b" : [ 1, true ], "a":"\u0041" }})");
  const auto second =
      parse_server_config(R"({"upgrade_policy":{"a":"A","b":[1,true]},"store":"/s"})");
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(first.value().upgrade_policy, R"({"a":"A","b":[1,true]})");
  EXPECT_EQ(canonical_text(first.value()), canonical_text(second.value()));
  const auto again = parse_server_config(canonical_text(first.value()));
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(canonical_text(again.value()), canonical_text(first.value()));
}

TEST(CanonicalText, SaysThatThereIsNoOwner) {
  const std::string text = canonical_text(parse_server_config(R"({"store":"/s"})").value());
  EXPECT_NE(text.find(R"("owner":null)"), std::string::npos);
  EXPECT_EQ(canonical_text(parse_server_config(text).value()), text);
}

TEST(CanonicalText, DoesNotDependOnOrderOrDefaultsWrittenOut) {
  const auto first = parse_server_config(R"({"store":"/s","run_threads":2,"io_threads":1})");
  const auto second = parse_server_config(R"({ "io_threads" : 1, "store" : "/s" })");
  EXPECT_EQ(canonical_text(first.value()), canonical_text(second.value()));
}

}  // namespace
}  // namespace cloister
