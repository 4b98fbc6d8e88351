#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/files.h"
#include "crypto/aead.h"

namespace cloister {

/// The same work as the vault's, done bare: a file of 1 MiB chunks under one key, whose tags are
/// kept in memory. Failures end the program.
class BareFile {
 public:
  /// Writes `size` bytes of `plaintext`, encrypted by `threads` threads, and syncs.
  static BareFile seal(Files& files, const std::string& path, const AeadMaker& aeads,
                       Bytes plaintext, unsigned threads);
  /// Reads and decrypts into `destination`; `beside` reads into a small buffer of each thread
  /// first, else the ciphertext goes to its place and is decrypted there.
  void open(MutableBytes destination, unsigned threads, bool beside) const;

 private:
  std::shared_ptr<Aead> aead_;
  std::shared_ptr<File> file_;
  std::vector<AeadTag> tags_;
};

}  // namespace cloister
