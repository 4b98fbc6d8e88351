#include <initializer_list>
#include <utility>

#include "hostile_models/parts.h"

namespace cloister {
namespace {

ByteVector bytes_from(std::initializer_list<unsigned> values) {
  ByteVector bytes;
  for (const unsigned value : values) bytes.push_back(static_cast<std::byte>(value));
  return bytes;
}

/// A sound model with `more` after it.
ByteVector followed_by(const ByteVector& more) {
  ByteVector bytes = simple_model({relu("x", "y")});
  bytes.insert(bytes.end(), more.begin(), more.end());
  return bytes;
}

ByteVector text_file(std::string_view text) { return copy_of(bytes_of(text)); }

ByteVector with_output_type(const OnnxMessage& type) {
  ModelParts parts;
  parts.graph = onnx_graph({{relu("x", "y")},
                            {},
                            {onnx_value("x", OnnxType::f32, {1, 4})},
                            {OnnxMessage().text(1, "y").message(2, type)}});
  return model_bytes(parts);
}

std::vector<HostileModel> not_onnx() {
  return {
      {"empty", "not-onnx", {}},
      {"pickle", "wire-", text_file(std::string_view("\x80\x04\x95\x0a\0\0\0\0\0\0\0", 11))},
      {"zip", "wire-", text_file(std::string_view("PK\3\4\x14\0\0\0\x08\0abcdefgh", 18))},
      {"text", "wire-", text_file("This is not a model at all, but a sentence.\n")},
      {"html", "wire-", text_file("<html><body>404</body></html>")},
      {"zeros", "wire-", ByteVector(4096, std::byte{0})},
      {"tensor-instead-of-model", "not-onnx",
       copy_of(bytes_of(OnnxMessage().text(4, "domain").number(5, 1).wire()))},
      {"model-without-graph", "not-onnx", copy_of(bytes_of(OnnxMessage().number(1, 8).wire()))},
  };
}

}  // namespace

std::vector<HostileModel> hostile_encodings() {
  const OnnxMessage float32 = OnnxMessage().number(1, 1);
  const OnnxMessage shape = OnnxMessage().message(1, OnnxMessage().number(1, 4).text(2, "n"));
  std::vector<HostileModel> models = not_onnx();
  for (HostileModel& model : std::vector<HostileModel>{
      {"graph-twice", "wire-duplicate-field",
       followed_by(copy_of(bytes_of(OnnxMessage().message(7, simple_graph({})).wire())))},
      {"ir-version-twice", "wire-duplicate-field",
       followed_by(copy_of(bytes_of(OnnxMessage().number(1, 7).wire())))},
      {"operator-twice", "wire-duplicate-field", simple_model({relu("x", "y").text(4, "Neg")})},
      {"value-data-twice", "wire-duplicate-field",
       simple_model({onnx_node("Add", {"x", "t"}, {"y"})},
                    {small_tensor("t").text(9, std::string(16, '\1'))})},
      {"value-type-twice", "wire-duplicate-field",
       with_output_type(OnnxMessage().message(1, float32).message(4, OnnxMessage()))},
      {"dimension-twice", "wire-duplicate-field",
       with_output_type(OnnxMessage().message(1, OnnxMessage(float32).message(2, shape)))},
      {"group", "wire-type", followed_by(bytes_from({0x7b, 0x7c}))},
      {"wire-type-6", "wire-type", followed_by(bytes_from({0x7e, 0x00}))},
      {"field-number-0", "wire-field-number", followed_by(bytes_from({0x00, 0x00}))},
      {"graph-as-number", "wire-type",
       copy_of(bytes_of(OnnxMessage().number(1, 8).number(7, 1).wire()))},
      {"length-past-the-end", "wire-length", followed_by(bytes_from({0x32, 0x7f, 0x00}))},
      {"length-of-2-to-63", "wire-length",
       followed_by(bytes_from({0x32, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}))},
      {"varint-of-eleven-bytes", "wire-varint",
       followed_by(bytes_from({0x28, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
                               0x01}))},
      {"varint-past-64-bits", "wire-varint",
       followed_by(bytes_from({0x28, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}))},
      {"varint-padded", "wire-varint", followed_by(bytes_from({0x28, 0x81, 0x00}))},
      {"packed-of-half-a-float", "wire-packed",
       simple_model({onnx_node("Constant", {}, {"t"},
                               {OnnxMessage().text(1, "value_floats").text(7, "abcde")
                                    .number(20, 6)}),
                     onnx_node("Add", {"x", "t"}, {"y"})})},
  }) {
    models.push_back(std::move(model));
  }
  const ByteVector whole = simple_model({relu("x", "y")});
  for (std::size_t size = 1; size < whole.size(); ++size) {
    // What is left at a field's end is a message of its own, but no whole model.
    const auto end = whole.begin() + static_cast<std::ptrdiff_t>(size);
    models.push_back({"cut-at-" + std::to_string(size), "", ByteVector(whole.begin(), end)});
  }
  return models;
}

}  // namespace cloister
