#pragma once

namespace cloister {

/// Whether this thread's code is the enclave's at the moment: what it allocates is enclave memory.
inline constinit thread_local bool inside_enclave = false;

/// Sets the side for as long as it lives, and puts the earlier one back.
class Side {
 public:
  explicit Side(bool inside) noexcept : before_(inside_enclave) { inside_enclave = inside; }
  ~Side() { inside_enclave = before_; }
  Side(const Side&) = delete;
  Side& operator=(const Side&) = delete;

 private:
  bool before_;
};

}  // namespace cloister
