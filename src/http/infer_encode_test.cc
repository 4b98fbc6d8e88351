#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "http/infer_codec.h"

namespace cloister {

struct DetailForTest {
  static std::string text(const Error& error) { return error.detail.reveal(DetailToken()); }
};

namespace {

template <class Element>
TensorView view_of(DType type, const std::vector<Element>& elements) {
  return {type, {elements.size()}, std::as_bytes(std::span(elements))};
}

std::string encoded(const InferRequest& request, const InferResponse& response) {
  const auto result = encode_infer_json(request, response);
  if (!result.ok()) return DetailForTest::text(result.error());
  std::string text;
  for (const Bytes piece : result.value().body.pieces) text += text_of(piece);
  return text;
}

std::string encoded_data(const TensorView& tensor) {
  InferResponse response;
  response.outputs = {{"y", tensor}};
  const std::string text = encoded({}, response);
  const std::size_t begin = text.find("\"data\":");
  return begin == std::string::npos ? text : text.substr(begin + 7, text.size() - begin - 10);
}

TEST(EncodeInferJson, RefusesWhatJsonCannotCarry) {
  const std::string advice = ", which JSON cannot carry; ask for binary data or for .npy";
  EXPECT_EQ(encoded_data(view_of(DType::f32, std::vector<float>{1, std::nanf("")})),
            "output \"y\", element 1 is not finite" + advice);
  EXPECT_EQ(encoded_data(view_of(DType::f16, std::vector<std::uint16_t>{0x7C00})),
            "output \"y\", element 0 is not finite" + advice);
  EXPECT_EQ(encoded_data({DType::bytes, {1}, bytes_of(std::string_view("\1\0\0\0\xff", 5))}),
            "output \"y\", element 0 is not UTF-8" + advice);
}

TEST(EncodeInferJson, WritesEveryType) {
  EXPECT_EQ(encoded_data(view_of(DType::boolean, std::vector<std::uint8_t>{1, 0})), "[true,false]");
  EXPECT_EQ(encoded_data(view_of(DType::u8, std::vector<std::uint8_t>{0, 255})), "[0,255]");
  EXPECT_EQ(encoded_data(view_of(DType::i8, std::vector<std::int8_t>{-128})), "[-128]");
  EXPECT_EQ(encoded_data(view_of(DType::u16, std::vector<std::uint16_t>{65535})), "[65535]");
  EXPECT_EQ(encoded_data(view_of(DType::i16, std::vector<std::int16_t>{-32768})), "[-32768]");
  EXPECT_EQ(encoded_data(view_of(DType::u32, std::vector<std::uint32_t>{~0U})), "[4294967295]");
  EXPECT_EQ(encoded_data(view_of(DType::i32, std::vector<std::int32_t>{1 << 31})),
            "[-2147483648]");
  EXPECT_EQ(encoded_data(view_of(DType::u64, std::vector<std::uint64_t>{~0ULL})),
            "[18446744073709551615]");
  EXPECT_EQ(encoded_data(view_of(DType::i64, std::vector<std::int64_t>{
                                                 std::numeric_limits<std::int64_t>::min()})),
            "[-9223372036854775808]");
  EXPECT_EQ(encoded_data(view_of(DType::f32, std::vector<float>{0.1F, -1.17549435e-38F})),
            "[0.1,-1.1754944e-38]");
  EXPECT_EQ(encoded_data(view_of(DType::f64, std::vector<double>{0.1, -2.2250738585072014e-308})),
            "[0.1,-2.2250738585072014e-308]");
  EXPECT_EQ(encoded_data(view_of(DType::f16, std::vector<std::uint16_t>{0x3C00, 0xFBFF})),
            "[1,-65504]");
  EXPECT_EQ(encoded_data(view_of(DType::bf16, std::vector<std::uint16_t>{0x3F80})), "[1]");
  const std::string_view strings("\2\0\0\0\"\1\0\0\0\0", 10);
  EXPECT_EQ(encoded_data({DType::bytes, {2}, bytes_of(strings)}), "[\"\\\"\\u0001\",\"\"]");
  EXPECT_EQ(encoded_data({DType::f32, {0}, {}}), "[]");
}

TEST(EncodeInferJson, SendsWhatWasAskedForInBinaryBehindTheText) {
  const std::vector<float> values{1, 2};
  InferResponse response;
  response.model_name = "m\"";
  response.model_version = "3";
  response.id = "i";
  response.outputs = {{"a", view_of(DType::f32, values)}, {"b", view_of(DType::f32, values)}};
  InferRequest request;
  request.outputs = {{"a", true}, {"b", false}};
  const EncodedInfer result = encode_infer_json(request, response).value();
  EXPECT_EQ(result.content_type, "application/octet-stream");
  ASSERT_EQ(result.body.pieces.size(), 2U);
  EXPECT_EQ(result.body.pieces[1].data(), response.outputs[0].tensor.data.data());
  EXPECT_EQ(result.json_bytes, result.body.pieces[0].size());
  EXPECT_EQ(text_of(result.body.pieces[0]),
            R"({"model_name":"m\"","model_version":"3","id":"i","outputs":[)"
            R"({"name":"a","datatype":"FP32","shape":[2],"parameters":{"binary_data_size":8}},)"
            R"({"name":"b","datatype":"FP32","shape":[2],"data":[1,2]}]})");
  EXPECT_EQ(encode_infer_json({}, response).value().json_bytes, std::nullopt);
  InferRequest all;
  all.binary_outputs = true;
  EXPECT_EQ(encode_infer_json(all, response).value().body.pieces.size(), 3U);
}

TEST(EncodeInferJson, WritesFloatsThatDecodeToTheSameBits) {
  EXPECT_TRUE(rc::check([](const std::vector<std::uint32_t>& bits) {
    std::vector<float> values;
    for (const std::uint32_t each : bits) {
      const auto value = std::bit_cast<float>(each);
      if (std::isfinite(value)) values.push_back(value);
    }
    const std::string body = R"({"inputs":[{"name":"x","datatype":"FP32","shape":[)" +
                             std::to_string(values.size()) + R"(],"data":)" +
                             encoded_data(view_of(DType::f32, values)) + "}]}";
    const InferRequest request = decode_infer_json(bytes_of(body), {}, {}).value();
    RC_ASSERT(text_of(request.inputs[0].tensor.data) ==
              text_of(std::as_bytes(std::span(values))));
  }));
}

}  // namespace
}  // namespace cloister
