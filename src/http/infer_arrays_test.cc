#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "http/infer_codec.h"
#include "tensor/npy.h"
#include "tensor/npz.h"

namespace cloister {
namespace {

Signature one_input(DType type, std::vector<Extent> extents) {
  Signature signature;
  signature.inputs = {{"x", type, true, std::move(extents)}};
  return signature;
}

std::string npy(const TensorView& tensor) {
  return npy_layout(tensor).value().header + std::string(text_of(tensor.data));
}

std::string joined(const HttpBody& body) {
  std::string text;
  for (const Bytes piece : body.pieces) text += text_of(piece);
  return text;
}

const std::string kTwoFloats("\0\0\x80\x3f\0\0\0\x40", 8);

TEST(DecodeInferNpy, RefusesAModelOfSeveralInputs) {
  Signature signature = one_input(DType::f32, {});
  signature.inputs.push_back(signature.inputs[0]);
  const std::string file = npy({DType::f32, {2}, bytes_of(kTwoFloats)});
  EXPECT_EQ(decode_infer_npy(bytes_of(file), signature, {}).error().code, Code::invalid);
  EXPECT_FALSE(decode_infer_npy(bytes_of("x"), one_input(DType::f32, {}), {}).ok());
}

TEST(DecodeInferNpy, ViewsTheBodyInPlace) {
  std::vector<double> aligned(64);
  const std::string file = npy({DType::f32, {2}, bytes_of(kTwoFloats)});
  std::memcpy(aligned.data(), file.data(), file.size());
  const Bytes body = std::as_bytes(std::span(aligned)).first(file.size());
  const InferRequest request =
      decode_infer_npy(body, one_input(DType::f32, {{2, ""}}), {}).value();
  EXPECT_EQ(request.inputs[0].name, "x");
  EXPECT_EQ(request.inputs[0].tensor.data.data(), body.data() + body.size() - 8);
  EXPECT_EQ(request.memory.size(), 0U);
}

TEST(DecodeInferNpz, NamesInputsAfterMembersAndAlignsThem) {
  const TensorView tensor{DType::f32, {2}, bytes_of(kTwoFloats)};
  NpzWriter writer;
  ASSERT_TRUE(writer.add("a", npy_layout(tensor).value().header, tensor.data).ok());
  ASSERT_TRUE(writer.add("bc", npy_layout(tensor).value().header, tensor.data).ok());
  std::string file;
  const std::vector<Bytes> pieces = writer.finish().value();
  for (const Bytes piece : pieces) file += text_of(piece);
  const InferRequest request = decode_infer_npz(bytes_of(file), {}).value();
  ASSERT_EQ(request.inputs.size(), 2U);
  for (const NamedTensorView& input : request.inputs) {
    EXPECT_EQ(text_of(input.tensor.data), kTwoFloats);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(input.tensor.data.data()) % alignof(float), 0U);
  }
  EXPECT_EQ(request.inputs[1].name, "bc");
  EXPECT_FALSE(decode_infer_npz(bytes_of(file.substr(1)), {}).ok());
}

TEST(DecodeInferRaw, FindsTheOpenExtent) {
  const Signature open = one_input(DType::f32, {{std::nullopt, "batch"}, {2, ""}});
  const std::string floats(24, '\0');
  const InferRequest request = decode_infer_raw(bytes_of(floats), open).value();
  EXPECT_EQ(request.inputs[0].tensor.shape, (Shape{3, 2}));
  EXPECT_FALSE(decode_infer_raw(bytes_of(floats).first(23), open).ok());
  EXPECT_FALSE(decode_infer_raw(bytes_of(floats), one_input(DType::f32, {{2, ""}})).ok());
  EXPECT_FALSE(decode_infer_raw(bytes_of(floats), one_input(DType::bytes, {{1, ""}})).ok());
  EXPECT_FALSE(
      decode_infer_raw(bytes_of(floats), one_input(DType::f32, {{std::nullopt, ""},
                                                                {std::nullopt, ""}})).ok());
  EXPECT_FALSE(decode_infer_raw(bytes_of(floats), one_input(DType::f32, {{std::nullopt, ""},
                                                                         {0, ""}})).ok());
}

TEST(EncodeInferNpy, RefusesWhatNpyCannotHold) {
  InferResponse response;
  EXPECT_EQ(encode_infer_npy(response).error().code, Code::unsupported);
  response.outputs = {{"y", {DType::bf16, {1}, bytes_of("ab")}}};
  EXPECT_EQ(encode_infer_npy(response).error().code, Code::unsupported);
  EXPECT_EQ(encode_infer_npz(response).error().code, Code::unsupported);
}

TEST(EncodeInferNpy, SendsTheTensorWithoutCopyingIt) {
  InferResponse response;
  response.outputs = {{"y", {DType::f32, {2}, bytes_of(kTwoFloats)}}};
  const EncodedInfer encoded = encode_infer_npy(response).value();
  EXPECT_EQ(encoded.body.pieces.back().data(), bytes_of(kTwoFloats).data());
  const std::string body = joined(encoded.body);
  EXPECT_EQ(read_npy(bytes_of(body)).value().shape, Shape{2});
}

TEST(EncodeInferNpz, WritesWhatReadsBack) {
  const std::string strings("\2\0\0\0ab\0\0\0\0", 10);
  InferResponse response;
  response.outputs = {{"y", {DType::f32, {2}, bytes_of(kTwoFloats)}},
                      {"s", {DType::bytes, {2}, bytes_of(strings)}}};
  const EncodedInfer encoded = encode_infer_npz(response).value();
  EXPECT_EQ(encoded.content_type, "application/x-npz");
  const std::string body = joined(encoded.body);
  const InferRequest again = decode_infer_npz(bytes_of(body), {}).value();
  ASSERT_EQ(again.inputs.size(), 2U);
  EXPECT_EQ(text_of(again.inputs[0].tensor.data), kTwoFloats);
  EXPECT_EQ(text_of(again.inputs[1].tensor.data), strings);
}

}  // namespace
}  // namespace cloister
