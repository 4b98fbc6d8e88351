// The graph segment: docs/store-format.md, "Graph segment". All integers are little-endian; a text
// is its length as u16 and its bytes.
#include <algorithm>
#include <set>

#include "base/byte_reader.h"
#include "base/byte_writer.h"
#include "base/limits.h"
#include "model/model.h"

namespace cloister {
namespace {

constexpr std::uint32_t kBundleMagic = 0x42474C43;  // "CLGB"
constexpr std::uint32_t kBundleVersion = 1;

void write_text(ByteWriter& out, const std::string& text) {
  CLOISTER_CHECK(text.size() <= kTensorNameMax);
  out.u16_le(static_cast<std::uint16_t>(text.size()));
  out.bytes(bytes_of(text));
}

void write_type_and_rank(ByteWriter& out, DType type, std::size_t rank) {
  out.u8(static_cast<std::uint8_t>(type));
  out.u8(static_cast<std::uint8_t>(rank));
}

void write_weight(ByteWriter& out, const WeightEntry& entry) {
  write_text(out, entry.name);
  write_type_and_rank(out, entry.type, entry.shape.size());
  for (const std::uint64_t extent : entry.shape) out.u64_le(extent);
  out.u64_le(entry.offset);
  out.u64_le(entry.bytes);
}

void write_specs(ByteWriter& out, const std::vector<TensorSpec>& specs) {
  out.u32_le(static_cast<std::uint32_t>(specs.size()));
  for (const TensorSpec& spec : specs) {
    write_text(out, spec.name);
    write_type_and_rank(out, spec.type, spec.extents.size());
    out.u8(spec.rank_known ? 1 : 0);
    for (const Extent& extent : spec.extents) {
      out.u8(extent.value ? 1 : 0);
      out.u64_le(extent.value.value_or(0));
      write_text(out, extent.symbol);
    }
  }
}

Error corrupt() { return Error{Code::corrupt, "model.bundle"}; }

Result<std::string> read_text(ByteReader& reader) {
  CLOISTER_ASSIGN(const std::uint16_t length, reader.u16_le());
  if (length > kTensorNameMax) return corrupt();
  CLOISTER_ASSIGN(const Bytes text, reader.take(length));
  return std::string(text_of(text));
}

struct TypeAndRank {
  DType type;
  std::size_t rank;
};

Result<TypeAndRank> read_type_and_rank(ByteReader& reader) {
  CLOISTER_ASSIGN(const std::uint8_t type, reader.u8());
  CLOISTER_ASSIGN(const std::uint8_t rank, reader.u8());
  if (type > static_cast<std::uint8_t>(DType::bytes) || rank > kRankMax) return corrupt();
  return TypeAndRank{DType{type}, rank};
}

/// Flags are 0 or 1, so that a bundle has one encoding only.
Result<bool> read_flag(ByteReader& reader) {
  CLOISTER_ASSIGN(const std::uint8_t flag, reader.u8());
  if (flag > 1) return corrupt();
  return flag == 1;
}

Result<WeightEntry> read_weight(ByteReader& reader, std::uint64_t weights_bytes) {
  WeightEntry entry;
  CLOISTER_ASSIGN(entry.name, read_text(reader));
  CLOISTER_ASSIGN(const TypeAndRank form, read_type_and_rank(reader));
  entry.type = form.type;
  for (std::size_t i = 0; i < form.rank; ++i) {
    CLOISTER_ASSIGN(const std::uint64_t extent, reader.u64_le());
    entry.shape.push_back(extent);
  }
  CLOISTER_ASSIGN(entry.offset, reader.u64_le());
  CLOISTER_ASSIGN(entry.bytes, reader.u64_le());
  if (entry.name.empty() || entry.type == DType::bytes) return corrupt();
  const Result<std::uint64_t> bytes = tensor_bytes(entry.type, entry.shape);
  if (!bytes.ok() || bytes.value() != entry.bytes) return corrupt();
  const bool inside = entry.offset <= weights_bytes && entry.bytes <= weights_bytes - entry.offset;
  if (!inside || entry.offset % kWeightAlignment != 0) return corrupt();
  return entry;
}

Result<std::vector<TensorSpec>> read_specs(ByteReader& reader, std::set<std::string>& names) {
  CLOISTER_ASSIGN(const std::uint32_t count, reader.u32_le());
  if (count > kSignatureTensorsMax) return corrupt();
  std::vector<TensorSpec> specs;
  for (std::uint32_t i = 0; i < count; ++i) {
    TensorSpec spec;
    CLOISTER_ASSIGN(spec.name, read_text(reader));
    CLOISTER_ASSIGN(const TypeAndRank form, read_type_and_rank(reader));
    spec.type = form.type;
    CLOISTER_ASSIGN(spec.rank_known, read_flag(reader));
    if (!spec.rank_known && form.rank != 0) return corrupt();
    for (std::size_t k = 0; k < form.rank; ++k) {
      Extent extent;
      CLOISTER_ASSIGN(const bool has_value, read_flag(reader));
      CLOISTER_ASSIGN(const std::uint64_t value, reader.u64_le());
      if (has_value ? value > kElementsMax : value != 0) return corrupt();
      if (has_value) extent.value = value;
      CLOISTER_ASSIGN(extent.symbol, read_text(reader));
      spec.extents.push_back(std::move(extent));
    }
    if (spec.name.empty() || !names.insert(spec.name).second) return corrupt();
    specs.push_back(std::move(spec));
  }
  return specs;
}

Status check_weights(const std::vector<WeightEntry>& weights) {
  std::set<std::string_view> names;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> places;
  for (const WeightEntry& entry : weights) {
    if (!names.insert(entry.name).second) return corrupt();
    if (entry.bytes > 0) places.emplace_back(entry.offset, entry.offset + entry.bytes);
  }
  std::ranges::sort(places);
  for (std::size_t i = 1; i < places.size(); ++i) {
    if (places[i].first < places[i - 1].second) return corrupt();
  }
  return Done{};
}

}  // namespace

ByteVector encode_bundle(const GraphBundle& bundle) {
  ByteWriter out;
  out.u32_le(kBundleMagic);
  out.u32_le(kBundleVersion);
  out.u64_le(bundle.weights_bytes);
  out.u32_le(static_cast<std::uint32_t>(bundle.weights.size()));
  for (const WeightEntry& entry : bundle.weights) write_weight(out, entry);
  write_specs(out, bundle.signature.inputs);
  write_specs(out, bundle.signature.optional_inputs);
  write_specs(out, bundle.signature.outputs);
  out.u64_le(bundle.graph.size());
  out.bytes(bundle.graph);
  return std::move(out).take();
}

Result<GraphBundle> decode_bundle(Bytes encoded) {
  ByteReader reader(encoded);
  GraphBundle bundle;
  CLOISTER_ASSIGN(const std::uint32_t magic, reader.u32_le());
  CLOISTER_ASSIGN(const std::uint32_t version, reader.u32_le());
  if (magic != kBundleMagic || version != kBundleVersion) return corrupt();
  CLOISTER_ASSIGN(bundle.weights_bytes, reader.u64_le());
  CLOISTER_ASSIGN(const std::uint32_t weights, reader.u32_le());
  if (weights > kWeightEntriesMax) return corrupt();
  for (std::uint32_t i = 0; i < weights; ++i) {
    CLOISTER_ASSIGN(WeightEntry entry, read_weight(reader, bundle.weights_bytes));
    bundle.weights.push_back(std::move(entry));
  }
  CLOISTER_TRY(check_weights(bundle.weights));
  std::set<std::string> inputs;
  CLOISTER_ASSIGN(bundle.signature.inputs, read_specs(reader, inputs));
  CLOISTER_ASSIGN(bundle.signature.optional_inputs, read_specs(reader, inputs));
  std::set<std::string> outputs;
  CLOISTER_ASSIGN(bundle.signature.outputs, read_specs(reader, outputs));
  CLOISTER_ASSIGN(const std::uint64_t graph_bytes, reader.u64_le());
  if (graph_bytes != reader.remaining()) return corrupt();
  bundle.graph = copy_of(reader.rest());
  return bundle;
}

}  // namespace cloister
