#pragma once

#include <cstddef>
#include <cstdint>

// The part of ONNX Runtime's C interface that this door uses, at interface version 24. The table
// below is what the library's OrtGetApiBase hands out. Its entries are only ever appended to, and
// entries keep their place for ever (the project's promise for its C interface), so that the
// places of the named entries are facts about every later library too; the rest is left unnamed.
// ort_abi_check.cc compares every place with the official header wherever one is at hand.

struct OrtStatus;
struct OrtEnv;
struct OrtSession;
struct OrtSessionOptions;
struct OrtRunOptions;
struct OrtMemoryInfo;
struct OrtValue;
struct OrtAllocator;
struct OrtTensorTypeAndShapeInfo;
struct OrtThreadingOptions;

namespace cloister {

/// What a call that can fail returns: null on success, else to be released.
using OrtOutcome = OrtStatus*;

/// Called by the runtime with what it wants to log: (context, severity, category, id, place, text).
using OrtLogSink = void (*)(void*, int, const char*, const char*, const char*, const char*);

inline constexpr std::uint32_t kOrtAbiVersion = 24;
inline constexpr int kOrtSeverityFatal = 4;
inline constexpr int kOrtInvalidArgument = 2;
inline constexpr int kOrtOptimiseNothing = 0;
inline constexpr int kOrtOptimiseAll = 99;
inline constexpr int kOrtExecuteInOrder = 0;
inline constexpr int kOrtDeviceAllocator = 0;
inline constexpr int kOrtMemoryDefault = 0;

/// `count` entries that are not used here.
template <std::size_t count>
using OrtUnused = void (*[count])();

/// The function table. The number beside a group is the place of its first entry.
struct OrtFunctions {
  OrtUnused<1> unused_0;
  int (*error_code)(const OrtStatus*);  // 1
  const char* (*error_message)(const OrtStatus*);  // 2
  OrtUnused<1> unused_3;
  OrtOutcome (*create_env_with_sink)(OrtLogSink, void* context, int severity, const char* id,
                                     OrtEnv**);  // 4
  OrtUnused<2> unused_5;
  OrtOutcome (*create_session)(const OrtEnv*, const char* path, const OrtSessionOptions*,
                               OrtSession**);  // 7
  OrtOutcome (*create_session_from_array)(const OrtEnv*, const void*, std::size_t,
                                          const OrtSessionOptions*, OrtSession**);
  OrtOutcome (*run)(OrtSession*, const OrtRunOptions*, const char* const* input_names,
                    const OrtValue* const* inputs, std::size_t input_count,
                    const char* const* output_names, std::size_t output_count, OrtValue** outputs);
  OrtOutcome (*create_session_options)(OrtSessionOptions**);
  OrtOutcome (*set_optimised_model_path)(OrtSessionOptions*, const char*);
  OrtUnused<1> unused_12;
  OrtOutcome (*set_execution_mode)(OrtSessionOptions*, int);  // 13
  OrtUnused<3> unused_14;
  OrtOutcome (*disable_memory_pattern)(OrtSessionOptions*);  // 17
  OrtUnused<1> unused_18;
  OrtOutcome (*disable_arena)(OrtSessionOptions*);  // 19
  OrtUnused<2> unused_20;
  OrtOutcome (*set_session_log_severity)(OrtSessionOptions*, int);  // 22
  OrtOutcome (*set_optimisation_level)(OrtSessionOptions*, int);
  OrtOutcome (*set_intra_op_threads)(OrtSessionOptions*, int);
  OrtOutcome (*set_inter_op_threads)(OrtSessionOptions*, int);
  OrtUnused<13> unused_26;
  OrtOutcome (*create_run_options)(OrtRunOptions**);  // 39
  OrtUnused<6> unused_40;
  OrtOutcome (*terminate_run)(OrtRunOptions*);  // 46
  OrtUnused<1> unused_47;
  OrtOutcome (*create_tensor)(OrtAllocator*, const std::int64_t* shape, std::size_t rank,
                              int element_type, OrtValue**);  // 48
  /// The runtime never writes to a tensor that is an input or an initializer, hence const here.
  OrtOutcome (*create_tensor_over)(const OrtMemoryInfo*, const void*, std::size_t bytes,
                                   const std::int64_t* shape, std::size_t rank, int element_type,
                                   OrtValue**);
  OrtOutcome (*is_tensor)(const OrtValue*, int* yes);
  OrtOutcome (*tensor_memory)(OrtValue*, void**);
  OrtUnused<1> unused_52;
  OrtOutcome (*string_tensor_length)(const OrtValue*, std::size_t*);  // 53
  OrtOutcome (*string_tensor_content)(const OrtValue*, void*, std::size_t bytes,
                                      std::size_t* offsets, std::size_t count);
  OrtUnused<5> unused_55;
  OrtOutcome (*element_type)(const OrtTensorTypeAndShapeInfo*, int*);  // 60
  OrtOutcome (*rank)(const OrtTensorTypeAndShapeInfo*, std::size_t*);
  OrtOutcome (*extents)(const OrtTensorTypeAndShapeInfo*, std::int64_t*, std::size_t rank);
  OrtUnused<2> unused_63;
  OrtOutcome (*type_and_shape)(const OrtValue*, OrtTensorTypeAndShapeInfo**);  // 65
  OrtUnused<3> unused_66;
  OrtOutcome (*create_cpu_memory_info)(int allocator, int memory, OrtMemoryInfo**);  // 69
  OrtUnused<8> unused_70;
  OrtOutcome (*default_allocator)(OrtAllocator**);  // 78
  OrtUnused<13> unused_79;
  void (*release_env)(OrtEnv*);  // 92
  void (*release_status)(OrtStatus*);
  void (*release_memory_info)(OrtMemoryInfo*);
  void (*release_session)(OrtSession*);
  void (*release_value)(OrtValue*);
  void (*release_run_options)(OrtRunOptions*);
  OrtUnused<1> unused_98;
  void (*release_type_and_shape)(OrtTensorTypeAndShapeInfo*);  // 99
  void (*release_session_options)(OrtSessionOptions*);
  OrtUnused<19> unused_101;
  OrtOutcome (*disable_session_threads)(OrtSessionOptions*);  // 120
  OrtOutcome (*create_threading_options)(OrtThreadingOptions**);
  void (*release_threading_options)(OrtThreadingOptions*);
  OrtUnused<7> unused_123;
  OrtOutcome (*set_session_entry)(OrtSessionOptions*, const char* key, const char* value);  // 130
  OrtUnused<16> unused_131;
  OrtOutcome (*set_shared_intra_op_threads)(OrtThreadingOptions*, int);  // 147
  OrtOutcome (*set_shared_inter_op_threads)(OrtThreadingOptions*, int);
  OrtUnused<1> unused_149;
  OrtOutcome (*add_initializer)(OrtSessionOptions*, const char* name, const OrtValue*);  // 150
  OrtOutcome (*create_env_with_threads)(OrtLogSink, void* context, int severity, const char* id,
                                        const OrtThreadingOptions*, OrtEnv**);  // 151
  OrtUnused<13> unused_152;
  OrtOutcome (*set_run_entry)(OrtRunOptions*, const char* key, const char* value);  // 165
  OrtUnused<44> unused_166;
  OrtOutcome (*add_external_initializers)(OrtSessionOptions*, const char* const* names,
                                          const OrtValue* const*, std::size_t count);  // 210
  OrtUnused<41> unused_211;
  /// Room for one element of a string tensor, zero bytes included.
  OrtOutcome (*string_element_memory)(OrtValue*, std::size_t index, std::size_t bytes,
                                      char**);  // 252
  OrtUnused<20> unused_253;
  OrtOutcome (*set_deterministic)(OrtSessionOptions*, bool);  // 273
};

/// What the library's one exported function, OrtGetApiBase, returns.
struct OrtEntry {
  const OrtFunctions* (*functions)(std::uint32_t abi_version);
  const char* (*version)();
};

inline constexpr const char* kOrtEntryName = "OrtGetApiBase";
using OrtEntryFunction = const OrtEntry* (*)();

}  // namespace cloister
