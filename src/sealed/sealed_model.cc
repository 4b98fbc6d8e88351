#include "sealed/sealed_model.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/byte_reader.h"
#include "base/byte_writer.h"
#include "encoding/cbor.h"
#include "secret/secret_bytes.h"

namespace cloister {
namespace {

constexpr std::string_view kMagic = "CLSTSEAL";
constexpr std::uint64_t kFormat = 1;
constexpr std::size_t kTextMax = 64;
constexpr std::int64_t kTimeMax = 1LL << 40;

Error malformed() { return Error{Code::corrupt, "sealed.malformed"}; }

bool is_sound(const SealedHeader& header) {
  const auto fits = [](const std::optional<std::string>& text) {
    return !text || is_name(*text);
  };
  const auto seconds = header.expires.time_since_epoch().count();
  return is_name(header.owner.value) && is_name(header.name) && header.version.value >= 1 &&
         header.version.value <= kVersionNumberMax && header.size >= 1 &&
         header.size <= kSealedModelBytesMax && seconds >= 0 && seconds <= kTimeMax &&
         fits(header.policy.isolation) && fits(header.policy.anchor);
}

ByteVector write_header(const SealedHeader& header) {
  std::vector<CborEntry> map;
  const auto add = [&map](const char* key, CborValue value) {
    map.push_back({CborValue::of_text(key), std::move(value)});
  };
  std::vector<CborEntry> policy;
  const auto demand_digest = [&](const char* key, const std::optional<Sha256Digest>& digest) {
    if (digest) policy.push_back({CborValue::of_text(key), CborValue::of_bytes(*digest)});
  };
  const auto demand_text = [&](const char* key, const std::optional<std::string>& text) {
    if (text) policy.push_back({CborValue::of_text(key), CborValue::of_text(*text)});
  };
  demand_digest("configuration", header.policy.configuration);
  demand_digest("software", header.policy.software);
  demand_text("isolation", header.policy.isolation);
  demand_text("anchor", header.policy.anchor);
  add("format", CborValue::of_unsigned(kFormat));
  add("owner", CborValue::of_text(header.owner.value));
  add("name", CborValue::of_text(header.name));
  add("version", CborValue::of_unsigned(header.version.value));
  add("expires", CborValue::of_integer(header.expires.time_since_epoch().count()));
  add("size", CborValue::of_unsigned(header.size));
  add("sha256", CborValue::of_bytes(header.sha256));
  add("policy", CborValue::of_map(std::move(policy)));
  return encode_cbor(CborValue::of_map(std::move(map)));
}

Status read_number(const CborValue& map, const char* key, std::uint64_t& out) {
  const CborValue* value = map.find(key);
  const auto number = value == nullptr ? std::nullopt : value->unsigned_integer();
  if (!number) return malformed();
  out = *number;
  return Done{};
}

Status read_text(const CborValue& map, const char* key, std::string& out) {
  const CborValue* value = map.find(key);
  const auto text = value == nullptr ? std::nullopt : value->text();
  if (!text || text->size() > kTextMax) return malformed();
  out = std::string(*text);
  return Done{};
}

Status read_digest(const CborValue& map, const char* key, Sha256Digest& out) {
  const CborValue* value = map.find(key);
  const auto bytes = value == nullptr ? std::nullopt : value->bytes();
  if (!bytes || bytes->size() != out.size()) return malformed();
  std::ranges::copy(*bytes, out.begin());
  return Done{};
}

Result<SealedPolicy> read_policy(const CborValue& map) {
  SealedPolicy policy;
  if (map.find("configuration") != nullptr) {
    CLOISTER_TRY(read_digest(map, "configuration", policy.configuration.emplace()));
  }
  if (map.find("software") != nullptr) {
    CLOISTER_TRY(read_digest(map, "software", policy.software.emplace()));
  }
  if (map.find("isolation") != nullptr) {
    CLOISTER_TRY(read_text(map, "isolation", policy.isolation.emplace()));
  }
  if (map.find("anchor") != nullptr) {
    CLOISTER_TRY(read_text(map, "anchor", policy.anchor.emplace()));
  }
  return policy;
}

/// Accepts the one encoding of a header, so that no condition in it can go unread.
Result<SealedHeader> read_header(Bytes encoded) {
  CLOISTER_ASSIGN(const CborValue map, decode_cbor(encoded, CborOrder::sorted));
  std::uint64_t format = 0;
  CLOISTER_TRY(read_number(map, "format", format));
  if (format != kFormat) return Error{Code::unsupported, "sealed.format"};
  SealedHeader header;
  CLOISTER_TRY(read_text(map, "owner", header.owner.value));
  CLOISTER_TRY(read_text(map, "name", header.name));
  CLOISTER_TRY(read_number(map, "version", header.version.value));
  std::uint64_t expires = 0;
  CLOISTER_TRY(read_number(map, "expires", expires));
  if (expires > static_cast<std::uint64_t>(kTimeMax)) return malformed();
  header.expires = UtcSeconds(std::chrono::seconds(static_cast<std::int64_t>(expires)));
  CLOISTER_TRY(read_number(map, "size", header.size));
  CLOISTER_TRY(read_digest(map, "sha256", header.sha256));
  const CborValue* policy = map.find("policy");
  if (policy == nullptr || !policy->is_map()) return malformed();
  CLOISTER_ASSIGN(header.policy, read_policy(*policy));
  if (!is_sound(header) || !std::ranges::equal(write_header(header), encoded)) return malformed();
  return header;
}

/// What HPKE binds the chunks to: the purpose and the header.
ByteVector info_of(Bytes header) {
  ByteVector info = copy_of(bytes_of("cloister sealed model 1"));
  info.insert(info.end(), header.begin(), header.end());
  return info;
}

/// The associated data of a chunk: whether it is the last.
std::array<std::byte, 1> mark(bool last) { return {last ? std::byte{1} : std::byte{0}}; }

}  // namespace

std::uint64_t sealed_chunks_bytes(std::uint64_t size) noexcept {
  const std::uint64_t chunks = size / kSealedChunkBytes + (size % kSealedChunkBytes != 0 ? 1 : 0);
  return size + chunks * kAeadTagBytes;
}

Result<ModelSealer> ModelSealer::make(const SealedHeader& header, const KemPublicKey& recipient) {
  if (!is_sound(header)) return Error{Code::invalid, "sealed.header"};
  const ByteVector encoded = write_header(header);
  CLOISTER_ASSIGN(HpkeSender sender, hpke_to(recipient, info_of(encoded)));
  ByteWriter writer;
  writer.bytes(bytes_of(kMagic));
  writer.bytes(sender.encapsulated);
  writer.u32_le(static_cast<std::uint32_t>(encoded.size()));
  writer.bytes(encoded);
  return ModelSealer(std::move(sender.context), std::move(writer).take(), header.size);
}

Result<ByteVector> ModelSealer::chunk(Bytes plaintext) {
  const std::uint64_t expected = std::min<std::uint64_t>(left_, kSealedChunkBytes);
  if (expected == 0 || plaintext.size() != expected) return Error{Code::invalid, "sealed.chunk"};
  left_ -= expected;
  return context_.seal(mark(left_ == 0), plaintext);
}

Result<SealedModel> SealedModel::read(Bytes file) {
  ByteReader reader(file);
  SealedModel model;
  CLOISTER_ASSIGN(const Bytes magic, reader.take(kMagic.size()));
  if (text_of(magic) != kMagic) return Error{Code::unsupported, "sealed.magic"};
  CLOISTER_ASSIGN(const Bytes encapsulated, reader.take(model.encapsulated_.size()));
  std::ranges::copy(encapsulated, model.encapsulated_.begin());
  CLOISTER_ASSIGN(const std::uint32_t size, reader.u32_le());
  if (size > kSealedHeaderBytesMax) return malformed();
  CLOISTER_ASSIGN(const Bytes header, reader.take(size));
  CLOISTER_ASSIGN(model.header_, read_header(header));
  model.preface_size_ = kMagic.size() + model.encapsulated_.size() + sizeof size + size;
  model.id_ = sha256(file.first(model.preface_size_));
  return model;
}

std::uint64_t SealedModel::file_size() const noexcept {
  return preface_size_ + sealed_chunks_bytes(header_.size);
}

bool SealedModel::is_for(Bytes file, const KemPrivateKey& key) const {
  if (file.size() != file_size()) return false;
  auto context = hpke_from(encapsulated_, key, info_of(write_header(header_)));
  if (!context.ok()) return false;
  const auto size =
      static_cast<std::size_t>(std::min<std::uint64_t>(header_.size, kSealedChunkBytes));
  ByteVector plaintext(size);
  const Status opened =
      context.value().open(mark(header_.size == size),
                           file.subspan(preface_size_, size + kAeadTagBytes), plaintext);
  wipe(plaintext);
  return opened.ok();
}

Status SealedModel::open(MutableBytes file, const KemPrivateKey& key) const {
  if (file.size() != file_size()) return Error{Code::corrupt, "sealed.length"};
  CLOISTER_ASSIGN(HpkeContext context,
                  hpke_from(encapsulated_, key, info_of(write_header(header_))));
  std::size_t from = preface_size_;
  std::size_t to = 0;
  for (std::uint64_t left = header_.size; left > 0;) {
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(left, kSealedChunkBytes));
    left -= size;
    // Opened where it stands, then moved to the front, over what was read before it.
    const Bytes sealed = file.subspan(from, size + kAeadTagBytes);
    const MutableBytes plaintext = file.subspan(from, size);
    if (!context.open(mark(left == 0), sealed, plaintext).ok()) {
      wipe(file);
      return Error{Code::corrupt, "sealed.chunk"};
    }
    std::copy(plaintext.begin(), plaintext.end(),
              file.begin() + static_cast<std::ptrdiff_t>(to));
    from += size + kAeadTagBytes;
    to += size;
  }
  wipe(file.subspan(to));
  if (sha256(file.first(to)) != header_.sha256) {
    wipe(file);
    return Error{Code::corrupt, "sealed.digest"};
  }
  return Done{};
}

}  // namespace cloister
