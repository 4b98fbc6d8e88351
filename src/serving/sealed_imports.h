#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "access/audit_trail.h"
#include "access/principals.h"
#include "base/files.h"
#include "base/result.h"
#include "crypto/sha256.h"
#include "observe/events.h"
#include "sealed/sealed_model.h"
#include "serving/models.h"
#include "serving/sealed_uploads.h"

namespace cloister {

/// A model that the configuration lets in at start: whose it is, its number, and the SHA-256 of its
/// file before it was sealed.
struct ExpectedModel {
  VersionRef ref;
  ModelDigest sha256{};
};

/// Files of the import folder that are looked at.
inline constexpr std::size_t kImportFilesMax = 4'096;

/// Admits the sealed models that lie in a folder, as their owner's upload would. Sealing proves
/// nothing about who sealed, so only what the configuration expects comes in, and the evidence
/// tells everybody what that is.
class SealedImports {
 public:
  struct Parts {
    Files& folder;  ///< rooted at the import folder
    const Principals& principals;
    const SealedUploads& sealed;
    Models& models;
    AuditTrail& audit;  ///< told, in its owner's chain, of each that was admitted
    EventSink& events;
    std::uint64_t model_bytes_max;  ///< of one model
  };
  SealedImports(Parts parts, std::vector<ExpectedModel> expected)
      : parts_(parts), expected_(std::move(expected)) {}

  /// Looks at every regular file once, in order of names, and tells the log of each that is refused
  /// why. Versions that are stored or were erased stay as they are. A file that is refused, damaged
  /// or unreadable stops nothing. Fails: `io`, `not_found` where the folder itself cannot be
  /// listed; `too_large` past kImportFilesMax.
  Status run();

 private:
  Status admit(const std::string& name);
  /// The expectation that a file's preface meets; nothing for any other file.
  const ExpectedModel* find(const SealedHeader& header) const;

  Parts parts_;
  std::vector<ExpectedModel> expected_;
};

}  // namespace cloister
