#include <algorithm>
#include <array>

#include "encoding/base64.h"
#include "encoding/hex.h"
#include "verifier/fields.h"
#include "verifier/judge.h"

namespace cloister {
namespace {

constexpr std::size_t kEntryBytes = 24;
constexpr std::size_t kEntriesMax = 16;
constexpr std::size_t kGuidBytes = 16;

/// A GUID as its text reads; the table may hold its first three groups in little-endian order.
constexpr std::string_view kVcek = "63da758de6644564adc5f4b93be8accd";
constexpr std::string_view kVlek = "a8074bc2a25a483eaae639c045a0b8a1";
constexpr std::string_view kAsk = "4ab7b379bbac4fe4a02f05aef327c782";
constexpr std::string_view kArk = "c0b406a4a803495297433fb6014cd0ae";

/// The same GUID with its first three groups in the other byte order.
ByteVector swapped(Bytes guid) {
  constexpr std::array<std::size_t, kGuidBytes> kOrder{3, 2, 1, 0, 5,  4,  7,  6,
                                                       8, 9, 10, 11, 12, 13, 14, 15};
  ByteVector out;
  for (const std::size_t at : kOrder) out.push_back(guid[at]);
  return out;
}

std::string pem_of(Bytes der) {
  return "-----BEGIN CERTIFICATE-----\n" + base64_encode(der) + "\n-----END CERTIFICATE-----\n";
}

struct TableEntry {
  std::string guid, swapped_guid;
  Bytes content;
  bool is(std::string_view name) const { return guid == name || swapped_guid == name; }
};

Result<std::vector<TableEntry>> read_table(Bytes table) {
  std::vector<TableEntry> entries;
  ByteReader reader(table);
  while (true) {
    CLOISTER_ASSIGN(const Bytes guid, reader.take(kGuidBytes));
    CLOISTER_ASSIGN(const std::uint32_t offset, reader.u32_le());
    CLOISTER_ASSIGN(const std::uint32_t size, reader.u32_le());
    if (is_zero(guid)) return entries;
    if (entries.size() == kEntriesMax || offset > table.size() ||
        size > table.size() - offset || offset < kEntryBytes) {
      return Error{Code::corrupt, "snp.table"};
    }
    entries.push_back({hex_encode(guid), hex_encode(swapped(guid)), table.subspan(offset, size)});
  }
}

}  // namespace

Endorsements with_certificate_table(Endorsements given, Bytes table) {
  const Result<std::vector<TableEntry>> entries = read_table(table);
  if (!entries.ok()) return given;
  std::string ask;
  std::string ark;
  for (const TableEntry& entry : entries.value()) {
    const bool is_vek = entry.is(kVcek) || entry.is(kVlek);
    if (is_vek && given.vek.empty()) given.vek = copy_of(entry.content);
    if (entry.is(kAsk)) ask = pem_of(entry.content);
    if (entry.is(kArk)) ark = pem_of(entry.content);
  }
  if (given.vek_chain.empty() && !ask.empty() && !ark.empty()) {
    given.vek_chain = copy_of(bytes_of(ask + ark));
  }
  return given;
}

}  // namespace cloister
