// Decodes the same tensor from every form that a request may have, in turn, and parses the JSON
// text with simdjson beside it. Prints one line a round and form: a name and nanoseconds.
//   json_bench ROUNDS
#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include <simdjson.h>

#include "base/check.h"
#include "http/infer_codec.h"

namespace cloister {
namespace {

constexpr std::size_t kFloats = 602'112 / sizeof(float);
const Shape kShape = {1, 3, 224, 224};

std::vector<float> image() {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<float> values(kFloats);
  for (float& each : values) each = normal(random);
  return values;
}

Signature signature() {
  Signature made;
  made.inputs = {{"x", DType::f32, true, {{1, ""}, {3, ""}, {224, ""}, {224, ""}}}};
  return made;
}

/// `digits` writes one number; NumPy's own JSON has the 17 digits of the double.
template <class Digits>
std::string json_of(const std::vector<float>& values, Digits digits) {
  std::string text =
      R"({"inputs":[{"name":"x","datatype":"FP32","shape":[1,3,224,224],"data":[)";
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i > 0) text += ", ";
    char number[40];
    text.append(number, digits(number, number + sizeof number, values[i]));
  }
  return text + "]}]}";
}

std::string npy_of(const std::vector<float>& values) {
  std::string text("\x93NUMPY\x01\x00\x76\x00", 10);
  text += "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3, 224, 224), }";
  text.resize(127, ' ');
  text += '\n';
  text.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
  return text;
}

void check(const Result<InferRequest>& request, const std::vector<float>& values) {
  CLOISTER_CHECK(request.ok() && request.value().inputs.size() == 1);
  const Bytes data = request.value().inputs.front().tensor.data;
  CLOISTER_CHECK(std::memcmp(data.data(), values.data(), data.size()) == 0);
}

/// What a client of simdjson writes: the document is parsed, each number stored as a float.
void parse_with_simdjson(simdjson::ondemand::parser& parser, const simdjson::padded_string& text,
                         std::vector<float>& values) {
  simdjson::ondemand::document document = parser.iterate(text);
  std::size_t count = 0;
  for (auto input : document["inputs"].get_array()) {
    for (auto number : input["data"].get_array()) {
      values[count++] = static_cast<float>(double(number.get_double()));
    }
  }
  CLOISTER_CHECK(count == values.size());
}

template <class Work>
void time(const char* name, Work work) {
  const auto began = std::chrono::steady_clock::now();
  work();
  const auto took = std::chrono::steady_clock::now() - began;
  std::printf("%s %lld\n", name,
              static_cast<long long>(
                  std::chrono::duration_cast<std::chrono::nanoseconds>(took).count()));
}

void run(int rounds) {
  const std::vector<float> values = image();
  const std::string short_text = json_of(values, [](char* begin, char* end, float value) {
    return static_cast<std::size_t>(std::to_chars(begin, end, value).ptr - begin);
  });
  const std::string long_text = json_of(values, [](char* begin, char* end, float value) {
    return static_cast<std::size_t>(
        std::to_chars(begin, end, static_cast<double>(value)).ptr - begin);
  });
  const simdjson::padded_string short_padded(short_text);
  const simdjson::padded_string long_padded(long_text);
  simdjson::ondemand::parser parser;
  std::vector<float> parsed(values.size());
  const std::string npy = npy_of(values);
  const std::string head = R"({"inputs":[{"name":"x","datatype":"FP32","shape":[1,3,224,224],)"
                           R"("parameters":{"binary_data_size":602112}}]})";
  const std::string binary = head + npy.substr(npy.size() - kFloats * sizeof(float));
  // As the server receives it: where its tensor is aligned.
  PrivateMemory body = std::move(PrivateMemory::reserve(64 + binary.size())).value();
  const MutableBytes received = body.bytes().subspan(infer_body_lead(head.size()), binary.size());
  std::ranges::copy(bytes_of(binary), received.begin());
  const Signature model = signature();
  const InferLimits limits;
  std::vector<float> copy(values.size());
  for (int round = 0; round < rounds; ++round) {
    time("simdjson_short", [&] { parse_with_simdjson(parser, short_padded, parsed); });
    CLOISTER_CHECK(parsed == values);
    time("json_short", [&] {
      check(decode_infer_json(bytes_of(short_text), std::nullopt, limits), values);
    });
    time("simdjson_long", [&] { parse_with_simdjson(parser, long_padded, parsed); });
    time("json_long", [&] {
      check(decode_infer_json(bytes_of(long_text), std::nullopt, limits), values);
    });
    time("copy", [&] {
      std::memcpy(copy.data(), values.data(), values.size() * sizeof(float));
      CLOISTER_CHECK(std::memcmp(copy.data(), values.data(), copy.size() * sizeof(float)) == 0);
    });
    time("binary", [&] {
      check(decode_infer_json(received, head.size(), limits), values);
    });
    time("npy", [&] { check(decode_infer_npy(bytes_of(npy), model, limits), values); });
  }
}

}  // namespace
}  // namespace cloister

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  cloister::run(std::atoi(argv[1]));
  return 0;
}
