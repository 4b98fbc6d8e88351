#include "vault/format.h"

#include <algorithm>

#include "base/byte_writer.h"
#include "vault/store_keys.h"

namespace cloister {
namespace {

constexpr std::string_view kVersionMagic = "CLOISTV1";

/// Seven bits to a byte, the lowest first; the high bit says that more follow.
void write_number(ByteWriter& writer, std::uint64_t number) {
  for (; number >= 0x80; number >>= 7) writer.u8(static_cast<std::uint8_t>(number | 0x80));
  writer.u8(static_cast<std::uint8_t>(number));
}

/// Only what `write_number` writes: no number has two forms.
Result<std::uint64_t> read_number(ByteReader& reader) {
  std::uint64_t number = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    CLOISTER_ASSIGN(const std::uint8_t byte, reader.u8());
    number |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    const bool overlong = (byte == 0 && shift > 0) || (shift == 63 && byte > 1);
    if (overlong) break;
    if (byte < 0x80) return number;
  }
  return Error{Code::corrupt, "vault.entry.number"};
}

void write_text(ByteWriter& writer, const std::string& text) {
  CLOISTER_CHECK(text.size() <= 0xffff);
  write_number(writer, text.size());
  writer.bytes(bytes_of(text));
}

Result<std::string> read_text(ByteReader& reader, std::size_t length_max) {
  CLOISTER_ASSIGN(const std::uint64_t length, read_number(reader));
  if (length > length_max) return Error{Code::corrupt, "vault.entry.text"};
  CLOISTER_ASSIGN(const Bytes text, reader.take(length));
  return std::string(text_of(text));
}

template <std::size_t kSize>
Result<std::array<std::byte, kSize>> read_array(ByteReader& reader) {
  CLOISTER_ASSIGN(const Bytes bytes, reader.take(kSize));
  std::array<std::byte, kSize> array{};
  std::ranges::copy(bytes, array.begin());
  return array;
}

void write_tensor(ByteWriter& writer, const TensorSpec& tensor) {
  write_text(writer, tensor.name);
  writer.u8(static_cast<std::uint8_t>(tensor.type));
  writer.u8(tensor.rank_known ? 1 : 0);
  writer.u8(static_cast<std::uint8_t>(tensor.extents.size()));
  for (const Extent& extent : tensor.extents) {
    writer.u8(extent.value.has_value() ? 1 : 0);
    write_number(writer, extent.value.value_or(0));
    write_text(writer, extent.symbol);
  }
}

Result<TensorSpec> read_tensor(ByteReader& reader) {
  TensorSpec tensor;
  CLOISTER_ASSIGN(tensor.name, read_text(reader, 0xffff));
  CLOISTER_ASSIGN(const std::uint8_t type, reader.u8());
  if (type > static_cast<std::uint8_t>(DType::bytes)) {
    return Error{Code::corrupt, "vault.entry.type"};
  }
  tensor.type = static_cast<DType>(type);
  CLOISTER_ASSIGN(const std::uint8_t rank_known, reader.u8());
  tensor.rank_known = rank_known != 0;
  CLOISTER_ASSIGN(const std::uint8_t rank, reader.u8());
  for (std::uint8_t i = 0; i < rank; ++i) {
    Extent extent;
    CLOISTER_ASSIGN(const std::uint8_t has_value, reader.u8());
    CLOISTER_ASSIGN(const std::uint64_t value, read_number(reader));
    if (has_value != 0) extent.value = value;
    CLOISTER_ASSIGN(extent.symbol, read_text(reader, 0xffff));
    tensor.extents.push_back(std::move(extent));
  }
  return tensor;
}

void write_tensors(ByteWriter& writer, const std::vector<TensorSpec>& tensors) {
  write_number(writer, tensors.size());
  for (const TensorSpec& tensor : tensors) write_tensor(writer, tensor);
}

Result<std::vector<TensorSpec>> read_tensors(ByteReader& reader) {
  CLOISTER_ASSIGN(const std::uint64_t count, read_number(reader));
  if (count > kSignatureTensorsMax) return Error{Code::corrupt, "vault.entry.tensors"};
  std::vector<TensorSpec> tensors;
  for (std::uint64_t i = 0; i < count; ++i) {
    CLOISTER_ASSIGN(TensorSpec tensor, read_tensor(reader));
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

void write_cost(ByteWriter& writer, const ModelCost& cost) {
  write_number(writer, cost.parameters);
  write_number(writer, cost.nodes);
  write_number(writer, cost.weights_bytes);
  write_number(writer, cost.activation_bytes);
  write_number(writer, cost.multiply_adds);
  writer.u8(cost.bounded ? 1 : 0);
}

Result<ModelCost> read_cost(ByteReader& reader) {
  ModelCost cost;
  CLOISTER_ASSIGN(cost.parameters, read_number(reader));
  CLOISTER_ASSIGN(cost.nodes, read_number(reader));
  CLOISTER_ASSIGN(cost.weights_bytes, read_number(reader));
  CLOISTER_ASSIGN(cost.activation_bytes, read_number(reader));
  CLOISTER_ASSIGN(cost.multiply_adds, read_number(reader));
  CLOISTER_ASSIGN(const std::uint8_t bounded, reader.u8());
  cost.bounded = bounded != 0;
  return cost;
}

Result<std::uint64_t> read_segment_size(ByteReader& reader) {
  CLOISTER_ASSIGN(const std::uint64_t bytes, read_number(reader));
  if (bytes > kChunksMax * kChunkBytes) return Error{Code::corrupt, "vault.entry.segment"};
  return bytes;
}

void write_seals(ByteWriter& writer, const VersionEntry& entry) {
  writer.bytes(entry.file);
  writer.bytes(entry.build);
  writer.bytes(entry.table);
  write_number(writer, entry.graph_bytes);
  write_number(writer, entry.weights_bytes);
}

Status read_seals(ByteReader& reader, ByteReader& seeds, VersionEntry& entry) {
  CLOISTER_ASSIGN(entry.file, read_array<16>(reader));
  CLOISTER_ASSIGN(entry.build, read_array<32>(reader));
  CLOISTER_ASSIGN(entry.table, read_array<32>(reader));
  CLOISTER_ASSIGN(entry.graph_bytes, read_segment_size(reader));
  CLOISTER_ASSIGN(entry.weights_bytes, read_segment_size(reader));
  CLOISTER_ASSIGN(const Bytes own, seeds.take(kSeedBytes));
  entry.seed = SecretBytes(copy_of(own));
  return Done{};
}

Result<Signature> read_signature(ByteReader& reader) {
  Signature signature;
  CLOISTER_ASSIGN(signature.inputs, read_tensors(reader));
  CLOISTER_ASSIGN(signature.optional_inputs, read_tensors(reader));
  CLOISTER_ASSIGN(signature.outputs, read_tensors(reader));
  return signature;
}

Result<VersionRecord> read_record(ByteReader& reader, VersionRef ref) {
  VersionRecord record;
  record.ref = std::move(ref);
  CLOISTER_ASSIGN(record.sha256, read_array<32>(reader));
  CLOISTER_ASSIGN(record.upload_bytes, read_number(reader));
  CLOISTER_ASSIGN(record.stored_bytes, read_number(reader));
  CLOISTER_ASSIGN(const std::uint64_t seconds, read_number(reader));
  record.uploaded_at = UtcSeconds(std::chrono::seconds(static_cast<std::int64_t>(seconds)));
  CLOISTER_ASSIGN(record.cost, read_cost(reader));
  CLOISTER_ASSIGN(record.signature, read_signature(reader));
  return record;
}

constexpr std::uint64_t next_page(std::uint64_t at) noexcept {
  constexpr std::uint64_t kPage = 4096;
  return (at + kPage - 1) / kPage * kPage;
}

}  // namespace

FileLayout layout_of(std::uint64_t graph_bytes, std::uint64_t weights_bytes) noexcept {
  const std::uint64_t chunks = chunk_count(graph_bytes) + chunk_count(weights_bytes);
  FileLayout layout;
  layout.table_bytes = kSeedBytes + chunks * kTableEntryBytes + kAeadTagBytes;
  layout.table_end = kVersionHeaderBytes + layout.table_bytes;
  layout.graph_at = next_page(layout.table_end);
  layout.graph_end = layout.graph_at + graph_bytes;
  layout.weights_at = next_page(layout.graph_end);
  layout.end = layout.weights_at + weights_bytes;
  return layout;
}

Sha256Digest ChunkHasher::leaf_of(Bytes plaintext, unsigned thread) {
  auto& hasher = hashers_[thread];
  if (hasher == nullptr) hasher = make_block_hasher(library_);
  const std::vector<Sha256Digest> blocks = hasher->hash(plaintext, kLeafBlockBytes);
  return sha256(std::as_bytes(std::span(blocks)));
}

std::array<std::byte, kVersionHeaderBytes> version_header(const FileId& file) {
  std::array<std::byte, kVersionHeaderBytes> header{};
  std::ranges::copy(bytes_of(kVersionMagic), header.begin());
  std::ranges::copy(file, header.begin() + 16);
  return header;
}

std::string version_path(const FileId& file) { return "versions/" + hex_of(file); }
std::string staging_path(const FileId& file) { return "staging/" + hex_of(file); }

std::string hex_of(Bytes bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const std::byte byte : bytes) {
    text += kDigits[std::to_integer<std::size_t>(byte) >> 4];
    text += kDigits[std::to_integer<std::size_t>(byte) & 15];
  }
  return text;
}

Result<FileId> file_id_of(std::string_view hex) {
  FileId file{};
  if (hex.size() != 2 * file.size()) return Error{Code::invalid, "vault.file_id"};
  for (std::size_t i = 0; i < hex.size(); ++i) {
    const char digit = hex[i];
    const bool decimal = digit >= '0' && digit <= '9';
    if (!decimal && (digit < 'a' || digit > 'f')) return Error{Code::invalid, "vault.file_id"};
    const int value = decimal ? digit - '0' : digit - 'a' + 10;
    file[i / 2] |= static_cast<std::byte>(i % 2 == 0 ? value << 4 : value);
  }
  return file;
}

ByteVector encode_ref(const VersionRef& ref) {
  ByteWriter writer;
  write_text(writer, ref.model.owner.value);
  write_text(writer, ref.model.name);
  write_number(writer, ref.version.value);
  return std::move(writer).take();
}

Result<VersionRef> decode_ref(ByteReader& reader) {
  VersionRef ref;
  CLOISTER_ASSIGN(ref.model.owner.value, read_text(reader, kModelNameMax));
  CLOISTER_ASSIGN(ref.model.name, read_text(reader, kModelNameMax));
  CLOISTER_ASSIGN(ref.version.value, read_number(reader));
  return ref;
}

ByteVector encode_version(const VersionEntry& entry) {
  ByteWriter writer;
  writer.bytes(encode_ref(entry.record.ref));
  write_seals(writer, entry);
  const VersionRecord& record = entry.record;
  writer.bytes(record.sha256);
  write_number(writer, record.upload_bytes);
  write_number(writer, record.stored_bytes);
  write_number(writer,
               static_cast<std::uint64_t>(record.uploaded_at.time_since_epoch().count()));
  write_cost(writer, record.cost);
  write_tensors(writer, record.signature.inputs);
  write_tensors(writer, record.signature.optional_inputs);
  write_tensors(writer, record.signature.outputs);
  if (entry.optimised != nullptr) {
    write_text(writer, entry.optimised->fits);
    writer.u8(entry.optimised->worth_packing ? 1 : 0);
    write_seals(writer, entry.optimised->sealed);
  }
  return std::move(writer).take();
}

Result<VersionEntry> decode_version(Bytes encoded, Bytes seeds) {
  ByteReader reader(encoded);
  ByteReader seed_reader(seeds);
  VersionEntry entry;
  CLOISTER_ASSIGN(VersionRef ref, decode_ref(reader));
  CLOISTER_TRY(read_seals(reader, seed_reader, entry));
  CLOISTER_ASSIGN(entry.record, read_record(reader, std::move(ref)));
  if (!reader.empty()) {
    auto optimised = std::make_shared<OptimisedEntry>();
    CLOISTER_ASSIGN(optimised->fits, read_text(reader, kFitsMax));
    CLOISTER_ASSIGN(const std::uint8_t worth_packing, reader.u8());
    optimised->worth_packing = worth_packing != 0;
    optimised->sealed.record.ref = entry.record.ref;
    optimised->sealed.record.sha256 = entry.record.sha256;
    CLOISTER_TRY(read_seals(reader, seed_reader, optimised->sealed));
    entry.optimised = std::move(optimised);
  }
  if (!reader.empty() || !seed_reader.empty()) return Error{Code::corrupt, "vault.entry.rest"};
  return entry;
}

VersionEntry clone(const VersionEntry& entry) {
  VersionEntry copy{entry.record,      entry.file,          entry.build, entry.table,
                    entry.graph_bytes, entry.weights_bytes, {},          entry.optimised};
  copy.seed = SecretBytes(copy_of(StoreKeys::read(entry.seed)));
  return copy;
}

SecretBytes seeds_of(const VersionEntry& entry) {
  const std::size_t files = entry.optimised == nullptr ? 1 : 2;
  SecretBytes seeds(files * kSeedBytes);
  const MutableBytes all = StoreKeys::write(seeds);
  std::ranges::copy(StoreKeys::read(entry.seed), all.begin());
  if (files == 2) {
    std::ranges::copy(StoreKeys::read(entry.optimised->sealed.seed),
                      all.subspan(kSeedBytes).begin());
  }
  return seeds;
}

std::vector<FileId> files_of(const VersionEntry& entry) {
  std::vector<FileId> files = {entry.file};
  if (entry.optimised != nullptr) files.push_back(entry.optimised->sealed.file);
  return files;
}

}  // namespace cloister
