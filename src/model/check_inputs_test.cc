#include <gtest/gtest.h>

#include "model/model.h"

namespace cloister {

struct DetailForTest {
  static std::string text(const Error& error) { return error.detail.reveal(DetailToken()); }
};

namespace {

Extent fixed(std::uint64_t value) { return {value, ""}; }
Extent open(const std::string& symbol) { return {std::nullopt, symbol}; }

Signature example() {
  Signature signature;
  signature.inputs = {{"x", DType::f32, true, {open("batch"), fixed(3)}},
                      {"m", DType::boolean, true, {open("batch")}}};
  signature.optional_inputs = {{"s", DType::bytes, true, {open("")}}};
  return signature;
}

const std::string kFloats(24, '\0');
const std::string kTruths(2, '\1');

std::vector<NamedTensorView> good() {
  return {{"x", {DType::f32, {2, 3}, bytes_of(kFloats)}},
          {"m", {DType::boolean, {2}, bytes_of(kTruths)}}};
}

std::string refusal(const std::vector<NamedTensorView>& inputs) {
  const Status status = check_inputs(example(), inputs);
  if (status.ok()) return "accepted";
  EXPECT_EQ(status.error().code, Code::invalid);
  return DetailForTest::text(status.error());
}

TEST(CheckInputs, SaysWhatWasExpectedAndWhatCame) {
  auto inputs = good();
  inputs[0].tensor.type = DType::f64;
  EXPECT_EQ(refusal(inputs), "input \"x\": expected float32 [batch,3], got float64 [2,3]");
  inputs = good();
  inputs[0].tensor.shape = {2, 4};
  EXPECT_EQ(refusal(inputs), "input \"x\": expected float32 [batch,3], got float32 [2,4]");
  inputs = good();
  inputs[0].tensor.shape = {6};
  EXPECT_EQ(refusal(inputs), "input \"x\": expected float32 [batch,3], got float32 [6]");
}

TEST(CheckInputs, RefusesUnknownMissingAndRepeatedNames) {
  auto inputs = good();
  inputs[0].name = "y";
  EXPECT_EQ(refusal(inputs), "input \"y\": the model has no such input; it takes \"x\", \"m\"");
  EXPECT_EQ(refusal({good()[0]}), "input \"m\": missing; expected bool [batch]");
  inputs = good();
  inputs.push_back(inputs[0]);
  EXPECT_EQ(refusal(inputs), "input \"x\": given twice");
}

TEST(CheckInputs, RefusesSymbolsThatDisagree) {
  auto inputs = good();
  inputs[1].tensor = {DType::boolean, {1}, bytes_of(kTruths).first(1)};
  EXPECT_EQ(refusal(inputs), "input \"m\": dimension 0 (batch) is 1, but 2 in input \"x\"");
}

TEST(CheckInputs, RefusesContentThatTheRuntimeCouldMisread) {
  auto inputs = good();
  inputs[0].tensor.data = inputs[0].tensor.data.first(23);
  EXPECT_EQ(refusal(inputs), "input \"x\": expected 24 bytes of data, got 23");
  inputs = good();
  inputs[1].tensor.data = bytes_of("\1\2");
  EXPECT_EQ(refusal(inputs), "input \"m\": a boolean is neither 0 nor 1");
  inputs = good();
  inputs.push_back({"s", {DType::bytes, {1}, bytes_of("\xff\xff\xff\xff")}});
  EXPECT_EQ(refusal(inputs),
            "input \"s\": the data does not hold 1 length-prefixed elements");
  Signature any;
  any.inputs = {{"x", DType::f32, false, {}}};
  EXPECT_EQ(check_inputs(any, {{"x", {DType::f32, {1ULL << 40}, {}}}}).error().code,
            Code::too_large);
}

TEST(CheckInputs, AcceptsWhatFits) {
  auto inputs = good();
  EXPECT_EQ(refusal(inputs), "accepted");
  const std::string text("\1\0\0\0a", 5);
  inputs.push_back({"s", {DType::bytes, {1}, bytes_of(text)}});
  EXPECT_EQ(refusal(inputs), "accepted");
}

TEST(InputBytesBound, IsUnknownWhereAnExtentIsOpen) {
  EXPECT_EQ(input_bytes_bound(example()), std::nullopt);
  Signature closed;
  closed.inputs = {{"x", DType::f32, true, {fixed(2), fixed(3)}}, {"n", DType::i64, true, {}}};
  EXPECT_EQ(input_bytes_bound(closed), 32U);
  closed.optional_inputs = {{"s", DType::bytes, true, {fixed(1)}}};
  EXPECT_EQ(input_bytes_bound(closed), std::nullopt);
}

TEST(IsName, AcceptsOnlyPlainNames) {
  for (const char* name : {"a", "Model_1-b"}) EXPECT_TRUE(is_name(name));
  for (const char* name : {"", "a.b", "a/b", "a b", "\xc3\xa9"}) EXPECT_FALSE(is_name(name));
  EXPECT_TRUE(is_name(std::string(kModelNameMax, 'a')));
  EXPECT_FALSE(is_name(std::string(kModelNameMax + 1, 'a')));
}

}  // namespace
}  // namespace cloister
