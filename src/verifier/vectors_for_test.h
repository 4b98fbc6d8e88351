#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "encoding/json.h"
#include "verifier/time_text.h"
#include "verifier/verifier.h"

// The recorded evidence of third parties that tests are held against. It is never committed;
// where its folder is absent, the tests say so and are skipped.

namespace cloister {

inline const std::filesystem::path& vectors_folder() {
  static const std::filesystem::path folder(CLOISTER_ATTEST_VECTORS);
  return folder;
}

inline ByteVector file_content(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  return copy_of(bytes_of(text));
}

/// Every file of one folder by its name; nothing below it.
inline std::map<std::string, ByteVector> folder_content(const std::filesystem::path& folder) {
  std::map<std::string, ByteVector> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.is_regular_file()) files[entry.path().filename()] = file_content(entry.path());
  }
  return files;
}

/// vectors.json; its text must live as long as the values.
inline const JsonValue& vectors_document() {
  static const ByteVector text = file_content(vectors_folder() / "vectors.json");
  static const JsonValue document = parse_json(text_of(text)).value();
  return document;
}

/// The vectors whose "tee" is this.
inline std::vector<const JsonValue*> vectors_of(std::string_view tee) {
  std::vector<const JsonValue*> found;
  for (const JsonValue& vector : vectors_document().find("vectors")->items()) {
    if (vector.find("tee")->text() == tee) found.push_back(&vector);
  }
  return found;
}

inline const JsonValue& vector_named(std::string_view id) {
  for (const JsonValue& vector : vectors_document().find("vectors")->items()) {
    if (vector.find("id")->text() == id) return vector;
  }
  std::abort();
}

inline std::string text_in(const JsonValue& vector, std::string_view key) {
  const JsonValue* value = vector.find(key);
  return value == nullptr ? "" : std::string(value->text().value_or(""));
}

inline UtcSeconds time_in(const JsonValue& vector, std::string_view key) {
  return time_of(text_in(vector, key)).value();
}

/// Inside every chain of the vectors, and past the end of all of their collateral.
inline UtcSeconds todays_date() { return time_of("2026-11-22T00:00:00Z").value(); }

inline Endorsements collateral_in(const JsonValue& vector) {
  const std::string folder = text_in(vector, "collateral");
  if (folder.empty()) return {};
  return endorsements_of(folder_content(vectors_folder() / folder));
}

inline std::string measured_in(const Verdict& verdict, std::string_view name) {
  for (const Measurement& measurement : verdict.measurements) {
    if (measurement.name == name) return measurement.value;
  }
  return "absent";
}

inline std::vector<std::string> rules_of(const Verdict& verdict) {
  std::vector<std::string> rules;
  for (const Refusal& refusal : verdict.refusals) rules.emplace_back(name_of(refusal.rule));
  return rules;
}

inline std::string first_rule(const Verdict& verdict) {
  return verdict.refusals.empty() ? "none" : name_of(verdict.refusals.front().rule);
}

}  // namespace cloister

/// Skips the calling test, and says so, where the vectors are absent.
#define CLOISTER_NEEDS_VECTORS()                                                        \
  if (!std::filesystem::exists(vectors_folder() / "vectors.json"))                      \
  GTEST_SKIP() << "SKIPPED: the recorded evidence is not at " << vectors_folder()
