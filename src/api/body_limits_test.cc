#include "api/body_limits.h"

#include <gtest/gtest.h>

namespace cloister {
namespace {

HttpRequestHead head_with(std::vector<HttpHeader> headers) {
  HttpRequestHead head;
  head.headers = std::move(headers);
  return head;
}

TEST(InferFormat, RefusesOtherTypes) {
  EXPECT_EQ(infer_format(head_with({{"content-type", "text/html"}})).error().code,
            Code::unsupported);
}

TEST(InferFormat, ReadsTypesWithParametersInAnyCase) {
  EXPECT_EQ(infer_format(head_with({{"content-type", "Application/X-NPY; v=1"}})).value(),
            BodyFormat::npy);
  EXPECT_EQ(infer_format(head_with({})).value(), BodyFormat::json);
}

TEST(AnswerFormat, TakesTheFirstServedTypeElseTheRequests) {
  EXPECT_EQ(answer_format(head_with({{"accept", "text/html"}}), BodyFormat::npy).error().code,
            Code::unsupported);
  EXPECT_EQ(
      answer_format(head_with({{"accept", "text/html, application/x-npz;q=0.5"}}), BodyFormat::npy)
          .value(),
      BodyFormat::npz);
  EXPECT_EQ(answer_format(head_with({{"accept", "*/*"}}), BodyFormat::npy).value(),
            BodyFormat::npy);
}

TEST(InferBodyBound, FollowsTheSignatureAndNeverPassesTheMost) {
  Signature closed;
  closed.inputs.push_back({"x", DType::f32, true, {{30, ""}}});
  const std::uint64_t bound = infer_body_bound(closed, BodyFormat::npy, 1ULL << 30);
  EXPECT_GE(bound, 120U + 128U);
  EXPECT_LT(bound, 100'000U);
  EXPECT_GT(infer_body_bound(closed, BodyFormat::json, 1ULL << 30), bound);
  EXPECT_EQ(infer_body_bound(closed, BodyFormat::npy, 100), 100U);
  Signature open;
  open.inputs.push_back({"x", DType::f32, true, {{std::nullopt, "n"}}});
  EXPECT_EQ(infer_body_bound(open, BodyFormat::npy, 1ULL << 20), 1ULL << 20);
  Signature vast;
  vast.inputs.push_back({"x", DType::f32, true, {{1ULL << 29, ""}}});
  EXPECT_EQ(infer_body_bound(vast, BodyFormat::json, ~std::uint64_t{0}), 64 * 1024 + (1ULL << 34));
}

TEST(ClaimedDigest, RefusesMalformedOnes) {
  for (const char* value : {"sha-256=:AAAA:", "sha-256=:x", "sha-256=::",
                            "sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "sha-256=AAAA",
                            "SHA-256=:AAAA:", "sha-256 =:AAAA:", "nonsense", "sha-512=:x:"}) {
    EXPECT_EQ(claimed_digest(head_with({{"content-digest", value}})).error().code, Code::invalid)
        << value;
  }
}

TEST(ClaimedDigest, FindsSha256AmongOthers) {
  const auto digest = claimed_digest(
      head_with({{"content-digest",
                  "sha-512=:AA==:, sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:"}}));
  ASSERT_TRUE(digest.ok());
  EXPECT_EQ(digest.value(), ModelDigest{});
  EXPECT_EQ(claimed_digest(head_with({})).value(), std::nullopt);
}

TEST(InferenceHeaderLength, RefusesAnythingButDigits) {
  for (const char* value : {"-1", "x", "1x", "", "18446744073709551616"}) {
    EXPECT_FALSE(
        inference_header_length(head_with({{"inference-header-content-length", value}})).ok());
  }
  EXPECT_EQ(inference_header_length(head_with({{"inference-header-content-length", "12"}})).value(),
            12U);
}

}  // namespace
}  // namespace cloister
