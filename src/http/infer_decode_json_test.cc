#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "http/infer_codec.h"

namespace cloister {

struct DetailForTest {
  static std::string text(const Error& error) { return error.detail.reveal(DetailToken()); }
};

namespace {

Result<InferRequest> decode(const std::string& body,
                            std::optional<std::uint64_t> json_bytes = std::nullopt) {
  return decode_infer_json(bytes_of(body), json_bytes, InferLimits{});
}

std::string one_input(const std::string& datatype, const std::string& shape,
                      const std::string& data) {
  return R"({"inputs":[{"name":"x","shape":)" + shape + R"(,"datatype":")" + datatype +
         R"(","data":)" + data + "}]}";
}

std::string refusal(const std::string& body) {
  const auto request = decode(body);
  return request.ok() ? "accepted" : DetailForTest::text(request.error());
}

template <class Element>
std::vector<Element> elements(const TensorView& tensor) {
  std::vector<Element> found(tensor.data.size() / sizeof(Element));
  std::ranges::copy(tensor.data, std::as_writable_bytes(std::span(found)).begin());
  return found;
}

template <class Element>
std::vector<Element> decoded(const std::string& datatype, const std::string& shape,
                             const std::string& data) {
  const InferRequest request = decode(one_input(datatype, shape, data)).value();
  return elements<Element>(request.inputs[0].tensor);
}

TEST(DecodeInferJson, NamesTheElementThatDoesNotFit) {
  EXPECT_EQ(refusal(one_input("FP32", "[3]", R"([1,2,"a"])")),
            "input \"x\": element 2: expected a number");
  EXPECT_EQ(refusal(one_input("FP32", "[3]", "[1,1e39,2]")),
            "input \"x\": element 1: expected a number that is finite in this type");
  EXPECT_EQ(refusal(one_input("UINT8", "[2]", "[255,256]")),
            "input \"x\": element 1: expected an integer that fits, not negative");
  EXPECT_EQ(refusal(one_input("INT8", "[2,2]", "[[1,2],[3,-129]]")),
            "input \"x\": element 3: expected an integer that fits");
  EXPECT_EQ(refusal(one_input("FP32", "[3]", "[1,2]")),
            "input \"x\": shape [3] asks for 3 elements, the data has fewer");
  EXPECT_EQ(refusal(one_input("FP32", "[2]", "[1,2,3]")),
            "input \"x\": shape [2] asks for 2 elements, the data has more");
  EXPECT_EQ(refusal(one_input("FP32", "[2,2]", "[[1,2],[3]]")),
            "input \"x\": shape [2,2] asks for 4 elements, the data has fewer");
  EXPECT_EQ(refusal(one_input("FP32", "[2,2]", "[[1,2]]")),
            "input \"x\": nested data does not match dimension 0 of shape [2,2]");
}

TEST(DecodeInferJson, RefusesElementsThatTheTypeDoesNotHave) {
  const std::pair<const char*, const char*> kRefused[] = {
      {"BOOL", "1"},      {"BOOL", "\"true\""}, {"INT32", "1.0"},  {"INT32", "1e3"},
      {"INT64", "9223372036854775808"},         {"UINT64", "-1"},  {"UINT16", "65536"},
      {"FP64", "1e999"},  {"FP64", "NaN"},      {"FP32", "null"},  {"FP16", "65520"},
      {"BF16", "3.4e38"}, {"BYTES", "1"},       {"BYTES", "\"\\ud800\""},
      {"FP32", "01"},     {"FP32", "+1"},       {"FP32", "[1]"},   {"FP32", ""},
      {"BYTES", "\"\xff\""},
  };
  for (const auto& [type, element] : kRefused) {
    EXPECT_FALSE(decode(one_input(type, "[1]", std::string("[") + element + "]")).ok())
        << type << ' ' << element;
  }
}

TEST(DecodeInferJson, RefusesShapesThatTheTextCannotFill) {
  EXPECT_EQ(decode(one_input("FP64", "[2147483648]", "[1]")).error().code, Code::invalid);
  EXPECT_EQ(decode(one_input("FP64", "[4294967296,4294967296]", "[1]")).error().code,
            Code::too_large);
  EXPECT_FALSE(decode(one_input("FP64", "[-1]", "[1]")).ok());
  EXPECT_FALSE(decode(one_input("FP64", "[1.0]", "[1]")).ok());
  EXPECT_FALSE(decode(one_input("FP64", "1", "[1]")).ok());
  EXPECT_FALSE(decode(one_input("FP64", "[" + std::string(80, '1') + "]", "[1]")).ok());
}

TEST(DecodeInferJson, RefusesWhatIsNoRequest) {
  const char* const kRefused[] = {
      "", "[]", "{}", R"({"inputs":{}})", R"({"inputs":[1]})", R"({"inputs":[{}]})",
      R"({"inputs":[{"name":"x","shape":[1],"datatype":"FP32"}]})",
      R"({"inputs":[{"name":"x","shape":[1],"data":[1]}]})",
      R"({"inputs":[{"name":"x","datatype":"FP32","data":[1]}]})",
      R"({"inputs":[{"shape":[1],"datatype":"FP32","data":[1]}]})",
      R"({"inputs":[{"name":"x","shape":[1],"datatype":"FP8","data":[1]}]})",
      R"({"inputs":[],"inputs":[]})", R"({"inputs":[],"id":1})", R"({"inputs":[]}x)",
      R"({"inputs":[{"name":"x","name":"x","shape":[1],"datatype":"FP32","data":[1]}]})",
      R"({"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[1],
          "parameters":{"binary_data_size":4}}]})",
      R"({"inputs":[{"name":"x","shape":[1],"datatype":"FP32",
          "parameters":{"shared_memory_region":"r"}}]})",
      R"({"inputs":[],"outputs":[{"name":"y"},{"name":"y"}]})",
      R"({"inputs":[],"outputs":[{"name":"y","parameters":{"classification":3}}]})",
      R"({"inputs":[],"parameters":{"timeout":-1}})",
      R"({"inputs":[],"parameters":{"binary_data_output":1}})",
  };
  for (const char* body : kRefused) EXPECT_FALSE(decode(body).ok()) << body;
  const std::string twice =
      R"({"name":"x","shape":[1],"datatype":"FP32","data":[1]})";
  EXPECT_EQ(refusal(R"({"inputs":[)" + twice + "," + twice + "]}"), "input \"x\": given twice");
  EXPECT_EQ(decode(R"({"inputs":[],"other":)" + std::string(1000, '[')).error().code,
            Code::too_large);
}

TEST(DecodeInferJson, RefusesBinarySizesThatDoNotAddUp) {
  const std::string json = R"({"inputs":[{"name":"x","shape":[1],"datatype":"FP32",)"
                           R"("parameters":{"binary_data_size":4}}]})";
  EXPECT_FALSE(decode(json + "abc", json.size()).ok());
  EXPECT_FALSE(decode(json + "abcde", json.size()).ok());
  EXPECT_FALSE(decode(json + "abcd", json.size() + 5).ok());
  EXPECT_FALSE(decode(json + "abcd", ~std::uint64_t{0}).ok());
  EXPECT_FALSE(decode(json + "abcd", json.size() - 1).ok());
  EXPECT_FALSE(decode(json + "abcd").ok());
  EXPECT_TRUE(decode(json + "abcd", json.size()).ok());
}

TEST(DecodeInferJson, RefusesMoreThanTheLimit) {
  std::string data = "[";
  for (int i = 0; i < 20000; ++i) data += "1,";
  data.back() = ']';
  const std::string body = one_input("FP64", "[20000]", data);
  EXPECT_TRUE(decode_infer_json(bytes_of(body), {}, InferLimits{160000}).ok());
  EXPECT_EQ(decode_infer_json(bytes_of(body), {}, InferLimits{1000}).error().code,
            Code::too_large);
}

TEST(DecodeInferJson, ReadsEveryType) {
  EXPECT_EQ(decoded<std::uint8_t>("BOOL", "[2]", "[true , false]"),
            (std::vector<std::uint8_t>{1, 0}));
  EXPECT_EQ(decoded<std::uint8_t>("UINT8", "[2]", "[0,255]"), (std::vector<std::uint8_t>{0, 255}));
  EXPECT_EQ(decoded<std::uint16_t>("UINT16", "[1]", "[65535]"),
            (std::vector<std::uint16_t>{65535}));
  EXPECT_EQ(decoded<std::uint32_t>("UINT32", "[1]", "[4294967295]"),
            (std::vector<std::uint32_t>{4294967295U}));
  EXPECT_EQ(decoded<std::uint64_t>("UINT64", "[1]", "[18446744073709551615]"),
            (std::vector<std::uint64_t>{~0ULL}));
  EXPECT_EQ(decoded<std::int8_t>("INT8", "[2]", "[-128,127]"),
            (std::vector<std::int8_t>{-128, 127}));
  EXPECT_EQ(decoded<std::int16_t>("INT16", "[1]", "[-32768]"), (std::vector<std::int16_t>{-32768}));
  EXPECT_EQ(decoded<std::int32_t>("INT32", "[]", "[-5]"), (std::vector<std::int32_t>{-5}));
  EXPECT_EQ(decoded<std::int64_t>("INT64", "[1]", "[-9223372036854775808]"),
            (std::vector<std::int64_t>{std::numeric_limits<std::int64_t>::min()}));
  EXPECT_EQ(decoded<float>("FP32", "[2,2]", "[[0.1,-2],[3e2,4]]"),
            (std::vector<float>{0.1F, -2, 300, 4}));
  EXPECT_EQ(decoded<float>("FP32", "[2,2]", "[1,2,3,4]"), (std::vector<float>{1, 2, 3, 4}));
  EXPECT_EQ(decoded<double>("FP64", "[1]", "[0.1]"), (std::vector<double>{0.1}));
  EXPECT_EQ(decoded<std::uint16_t>("FP16", "[2]", "[1,-0.5]"),
            (std::vector<std::uint16_t>{0x3C00, 0xB800}));
  EXPECT_EQ(decoded<std::uint16_t>("BF16", "[1]", "[1]"), (std::vector<std::uint16_t>{0x3F80}));
  EXPECT_TRUE(decoded<float>("FP32", "[2,0]", "[[],[]]").empty());
  EXPECT_TRUE(decoded<float>("FP32", "[0]", "[]").empty());
  const InferRequest strings =
      decode(one_input("BYTES", "[2,1]", R"([["a\u00e9"],[""]])")).value();
  EXPECT_EQ(text_of(strings.inputs[0].tensor.data),
            std::string_view("\3\0\0\0a\xC3\xA9\0\0\0\0", 11));
}

TEST(DecodeInferJson, ReadsMembersInAnyOrder) {
  const InferRequest request =
      decode(R"({"parameters":{"timeout":7,"priority":2,"other":[1]},"inputs":[)"
             R"({"data":[[1],[2]],"datatype":"INT32","shape":[2,1],"name":"a","parameters":{}},)"
             R"({"name":"b","data":[3],"shape":[1],"datatype":"INT8"}],"id":"i","more":{"x":1}})")
          .value();
  ASSERT_EQ(request.inputs.size(), 2U);
  EXPECT_EQ(elements<std::int32_t>(request.inputs[0].tensor), (std::vector<std::int32_t>{1, 2}));
  EXPECT_EQ(request.inputs[1].name, "b");
  EXPECT_EQ(request.id, "i");
  EXPECT_EQ(request.timeout_microseconds, 7U);
  EXPECT_EQ(request.priority, 2U);
  EXPECT_TRUE(request.outputs.empty());
}

TEST(DecodeInferJson, TakesBinaryTensorsInOrderAndAligned) {
  const std::string json =
      R"({"inputs":[{"name":"a","shape":[3],"datatype":"UINT8",)"
      R"("parameters":{"binary_data_size":3}},)"
      R"({"name":"t","shape":[1],"datatype":"FP32","data":[1.5]},)"
      R"({"name":"b","shape":[1],"datatype":"FP64","parameters":{"binary_data_size":8}}],)"
      R"("parameters":{"binary_data_output":true},)"
      R"("outputs":[{"name":"p","parameters":{"binary_data":false}},{"name":"q"}]})";
  for (int padding = 0; padding < 8; ++padding) {
    const std::string text = json + std::string(static_cast<std::size_t>(padding), ' ');
    const double value = 2.5;
    std::string body = text + "xyz";
    body.append(reinterpret_cast<const char*>(&value), sizeof value);
    const InferRequest request = decode(body, text.size()).value();
    EXPECT_EQ(text_of(request.inputs[0].tensor.data), "xyz");
    EXPECT_EQ(elements<float>(request.inputs[1].tensor), (std::vector<float>{1.5F}));
    EXPECT_EQ(elements<double>(request.inputs[2].tensor), (std::vector<double>{2.5}));
    const auto address = reinterpret_cast<std::uintptr_t>(request.inputs[2].tensor.data.data());
    EXPECT_EQ(address % alignof(double), 0U);
    EXPECT_FALSE(request.outputs[0].binary);
    EXPECT_TRUE(request.outputs[1].binary);
  }
}

TEST(DecodeInferJson, CopiesNoBinaryTensorWhereTheBodyHasItsLead) {
  std::string json =
      R"({"inputs":[{"name":"a","shape":[2],"datatype":"FP64",)"
      R"("parameters":{"binary_data_size":16}}]})";
  for (int padding = 0; padding < 70; ++padding, json += ' ') {
    const std::uint32_t lead = infer_body_lead(json.size());
    ASSERT_LT(lead, 64U);
    PrivateMemory memory = PrivateMemory::reserve(4096).value();
    const MutableBytes body = memory.bytes().subspan(lead, json.size() + 16);
    std::ranges::copy(bytes_of(json), body.begin());
    const InferRequest request = decode_infer_json(body, json.size(), InferLimits{}).value();
    EXPECT_EQ(request.inputs[0].tensor.data.data(), body.data() + json.size());
    EXPECT_EQ(request.memory.size(), 0U);
  }
}

}  // namespace
}  // namespace cloister
