// SPDX-License-Identifier: Apache-2.0
import InferenceProtocol
import ModelKit
import Synchronization
import Testing

@testable import ModelRuntimes

@Suite("Choice of runtimes and libraries")
struct RegistryTests {
    @Test(
        "files say which runtime a model gets",
        arguments: [
            (["model.onnx"], nil, "onnxruntime"), (["other.onnx"], nil, "onnxruntime"), (["model.ubj"], nil, "xgboost"),
            (["model.json"], nil, "xgboost"), (["model.json"], "xgboost", "xgboost"), (["model.txt"], nil, "lightgbm"),
            (["model.bst"], "lightgbm", "lightgbm"), (["model.bst"], "xgboost", "xgboost"),
            (["model.als"], nil, "apus-als"),
            (["model.joblib"], nil, "python"), (["model.pkl"], "sklearn", "python"),
            (["x.txt"], "lightgbm", "lightgbm"),
            (["nothing"], "ONNX", "onnxruntime"),
        ] as [([String], String?, String)])
    func choice(_ names: [String], _ format: String?, _ expected: String) throws {
        try withFolder { folder in
            for name in names { try write([1], to: folder + "/" + name) }
            let found = try RuntimeRegistry.standard.runtime(
                for: ModelFolder(name: "m", version: "1", path: folder, format: format))
            #expect(found.name == expected)
        }
    }

    @Test(
        "of mlflow's flavors each runtime takes its own, Python the rest",
        arguments: [
            ("onnx: {data: model.onnx}", "onnxruntime"),
            ("xgboost: {data: model.ubj, model_class: xgboost.core.Booster}", "xgboost"),
            ("xgboost: {data: model.ubj, model_class: xgboost.sklearn.XGBClassifier}", "python"),
            ("xgboost: {data: model.ubj, model_class: xgboost.sklearn.XGBRegressor}", "xgboost"),
            ("lightgbm: {data: model.lgb, model_class: lightgbm.basic.Booster}", "lightgbm"),
            ("lightgbm: {data: model.pkl, model_class: lightgbm.sklearn.LGBMRegressor}", "python"),
            ("sklearn: {pickled_model: model.pkl}", "python"), ("apus_als: {data: model.als}", "apus-als"),
        ])
    func flavors(_ flavor: String, _ expected: String) throws {
        try withFolder { folder in
            let text = "flavors:\n  \(flavor)\n  python_function: {loader_module: x}\n"
            try write(Array(text.utf8), to: folder + "/MLmodel")
            for format in [nil, "mlflow"] {
                let found = try RuntimeRegistry.standard.runtime(
                    for: ModelFolder(name: "m", version: "1", path: folder, format: format))
                #expect(found.name == expected)
            }
        }
    }

    @Test("what cannot be served is told with what there is")
    func refusals() throws {
        try withFolder { folder in
            try write([1], to: folder + "/README.md")
            let none = #expect(throws: InferenceFault.self) {
                try RuntimeRegistry.standard.runtime(for: ModelFolder(name: "m", version: "1", path: folder))
            }
            #expect(none?.code == .unsupported && none?.description.contains("README.md") == true)
            let unknown = #expect(throws: InferenceFault.self) {
                try RuntimeRegistry.standard.runtime(
                    for: ModelFolder(name: "m", version: "1", path: folder, format: "pmml"))
            }
            #expect(unknown?.description.contains("onnx") == true)
            let missing = #expect(throws: InferenceFault.self) {
                try RuntimeRegistry.standard.load(
                    ModelFolder(name: "m", version: "1", path: folder, format: "xgboost"), RuntimeOptions())
            }
            #expect(missing?.code == .notFound)
        }
    }

    @Test("libraries are looked for where the variable says, in the home, beside the binary, in environments")
    func libraries() throws {
        try withFolder { root in
            let packages = "lib/python3.11/site-packages/onnxruntime/capi"
            for folder in ["home/.apus/lib", "bin/lib", "work/.venv/\(packages)", ".venv/\(packages)"] {
                makeFolder(root + "/" + folder)
                try write([], to: "\(root)/\(folder)/libonnxruntime.so.1.9.0")
                try write([], to: "\(root)/\(folder)/libonnxruntime.so.1.32.0")
                try write([], to: "\(root)/\(folder)/libonnxruntime_providers_shared.so")
            }
            func found(_ environment: [String: String]) -> [String] {
                LibraryPaths.candidates(
                    .onnxruntime, environment: environment, home: root + "/home", binary: root + "/bin/apus",
                    workingFolder: root + "/work")
            }
            let versions = ["libonnxruntime.so.1.32.0", "libonnxruntime.so.1.9.0"]
            let places = ["home/.apus/lib", "bin/lib", "work/.venv/\(packages)", ".venv/\(packages)"]
            let all = found([:])
            #expect(
                all.map { $0.replacing("/bin/../lib", with: "/lib") }
                    == places.flatMap { place in versions.map { "\(root)/\(place)/\($0)" } })
            #expect(found(["APUS_ONNXRUNTIME_LIBRARY": "/x/y.so"]) == ["/x/y.so"])
            #expect(found(["APUS_ONNXRUNTIME_LIBRARY": root + "/bin/lib"]).count == 2)
        }
    }

    @Test("a late run is ended once; one that is done in time is not")
    func watch() {
        let ended = Mutex<[String]>([])
        let late = RunWatch.shared.add(.now) { ended.withLock { $0.append("late") } }
        let timely = RunWatch.shared.add(.now + .seconds(3600)) { ended.withLock { $0.append("timely") } }
        while ended.withLock({ $0.isEmpty }) {}
        #expect(!RunWatch.shared.remove(late))
        #expect(RunWatch.shared.remove(timely))
        #expect(ended.withLock { $0 } == ["late"])
    }

    @Test("the recommender recommends, predicts and finds alike as its model does")
    func recommender() throws {
        var interactions: [Interaction] = []
        for user in 0..<30 {
            for item in 0..<20 where (user + item) % 3 != 0 {
                interactions.append(
                    Interaction(user: Int64(user), item: Int64(item), value: Float(user * item % 5 + 1), timestamp: 0))
            }
        }
        var configuration = ALSConfiguration()
        (configuration.factors, configuration.iterations, configuration.threads) = (4, 3, 1)
        let model = try ALSModel.train(on: interactions, test: [], configuration: configuration) { _ in true }
        let loaded = RecommenderModel(model, name: "movies", memory: 1)
        let instance = try loaded.makeInstance()
        func integers(_ name: String, _ values: [Int64]) -> Tensor {
            let storage = TensorStorage(byteCount: values.count * 8)
            values.withUnsafeBytes { storage.bytes.copyMemory(from: $0) }
            return Tensor(
                name: name, type: .int64, shape: [values.count], content: .memory(storage, 0..<values.count * 8))
        }
        func items(_ tensor: Tensor) -> [Int64] {
            guard case .memory(let storage, let range) = tensor.content else { return [] }
            return Array(UnsafeRawBufferPointer(rebasing: storage.bytes[range]).bindMemory(to: Int64.self))
        }
        let answer = try instance.run(
            [integers("user", [4, 999]), integers("count", [3])], outputs: [], deadline: nil)
        let vector = try #require(model.vector(of: 4))
        let expected = model.recommend(vector, count: 3, excluding: model.seenItems(of: 4))
        #expect(answer[0].shape == [2, 3] && items(answer[0]).prefix(3) == expected.map(\.item)[...])
        let pair = try instance.run([integers("user", [4]), integers("item", [7])], outputs: ["scores"], deadline: nil)
        #expect(ONNXRuntimeTests.values(pair[0]) == [try #require(model.predict(vector, item: 7))])
        let alike = try instance.run(
            [integers("item", [7, 12_345]), integers("count", [2]), integers("support", [0])], outputs: ["items"],
            deadline: nil)
        let similar = try #require(model.similar(to: 7, count: 2))
        #expect(items(alike[0]) == similar.map(\.item) + [-1, -1])
        for inputs in [
            [], [integers("user", [1, 2]), integers("item", [1])], [integers("user", [1]), integers("count", [0])],
        ] {
            #expect(throws: InferenceFault.self) { try instance.run(inputs, outputs: [], deadline: nil) }
        }
    }
}
