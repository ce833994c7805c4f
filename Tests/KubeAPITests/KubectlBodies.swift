// SPDX-License-Identifier: Apache-2.0
// swift-format-ignore-file

import Testing

/// Bodies that kubectl 1.32 sends as protobuf, captured from the real program, and the JSON that they stand for.
enum KubectlBodies {
    struct Body: Sendable, CustomTestStringConvertible {
        /// The command, without `kubectl`.
        let command: String
        let hex: String
        let json: String
        var testDescription: String { command }

        var bytes: [UInt8] {
            var bytes: [UInt8] = []
            var digits = hex.utf8.makeIterator()
            while let high = digits.next(), let low = digits.next() {
                bytes.append(UInt8(String(decoding: [high, low], as: UTF8.self), radix: 16) ?? 0)
            }
            return bytes
        }
    }

    static let all = [
        Body(
            command: "create namespace demo",
            hex: """
                6b3873000a0f0a02763112094e616d657370616365121c0a140a0464656d6f12001a0022002a0032003800420012001a020a\
                001a002200
                """,
            json: ##"""
                {"apiVersion":"v1","kind":"Namespace","metadata":{"name":"demo"},"spec":{},"status":{}}
                """##),
        Body(
            command: "create secret generic db",
            hex: """
                6b3873000a0c0a027631120653656372657412390a120a02646212001a0022002a0032003800420012120a0870617373776f\
                72641206733363726574120d0a0475736572120561646d696e1a001a002200
                """,
            json: ##"""
                {"apiVersion":"v1","data":{"password":"czNjcmV0","user":"YWRtaW4="},"kind":"Secret",
                "metadata":{"name":"db"}}
                """##),
        Body(
            command: "create serviceaccount builder",
            hex: """
                6b3873000a140a027631120e536572766963654163636f756e7412190a170a076275696c64657212001a0022002a00320038\
                0042001a002200
                """,
            json: ##"""
                {"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"builder"}}
                """##),
        Body(
            command: "create token builder",
            hex: """
                6b3873000a280a1861757468656e7469636174696f6e2e6b38732e696f2f7631120c546f6b656e52657175657374121d0a10\
                0a0012001a0022002a00320038004200120320d8041a040a0012001a002200
                """,
            json: ##"""
                {"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","metadata":{},
                "spec":{"expirationSeconds":600},"status":{"token":""}}
                """##),
        Body(
            command: "create role reader",
            hex: """
                6b3873000a240a1c726261632e617574686f72697a6174696f6e2e6b38732e696f2f76311204526f6c6512340a160a067265\
                6164657212001a0022002a00320038004200121a0a036765740a046c6973740a05776174636812001a04706f64731a002200
                """,
            json: ##"""
                {"apiVersion":"rbac.authorization.k8s.io/v1","kind":"Role","metadata":{"name":"reader"},
                "rules":[{"apiGroups":[""],"resources":["pods"],"verbs":["get","list","watch"]}]}
                """##),
        Body(
            command: "create rolebinding rb",
            hex: """
                6b3873000a2b0a1c726261632e617574686f72697a6174696f6e2e6b38732e696f2f7631120b526f6c6542696e64696e6712\
                650a120a02726212001a0022002a0032003800420012240a0e536572766963654163636f756e7412001a076275696c646572\
                220764656661756c741a290a19726261632e617574686f72697a6174696f6e2e6b38732e696f1204526f6c651a0672656164\
                65721a002200
                """,
            json: ##"""
                {"apiVersion":"rbac.authorization.k8s.io/v1","kind":"RoleBinding","metadata":{"name":"rb"},
                "roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"Role","name":"reader"},
                "subjects":[{"kind":"ServiceAccount","name":"builder","namespace":"default"}]}
                """##),
        Body(
            command: "create deployment web",
            hex: """
                6b3873000a150a07617070732f7631120a4465706c6f796d656e7412bd010a1f0a0377656212001a0022002a003200380042\
                005a0a0a036170701203776562128b010803120c0a0a0a0361707012037765621a710a1c0a0012001a0022002a0032003800\
                42005a0a0a036170701203776562125112330a056e67696e78120a6e67696e783a312e32372a00320a0a001000185022002a\
                0042006a007200800100880100900100a201001a00320042004a0052005800600068008201008a01009a0100c2010022020a\
                00280038001a0c0800100018002000280038001a002200
                """,
            json: ##"""
                {"apiVersion":"apps/v1","kind":"Deployment","metadata":{"labels":{"app":"web"},"name":"web"},
                "spec":{"replicas":3,"selector":{"matchLabels":{"app":"web"}},"strategy":{},
                "template":{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"image":"nginx:1.27",
                "name":"nginx","ports":[{"containerPort":80}],"resources":{}}]}}},"status":{}}
                """##),
        Body(
            command: "create service clusterip web",
            hex: """
                6b3873000a0d0a02763112075365727669636512690a1f0a0377656212001a0022002a003200380042005a0a0a0361707012\
                0377656212420a1b0a0738302d38303830120354435018502207080010903f1a002800120a0a0361707012037765621a0022\
                09436c757374657249503a00420052005a00600068001a020a001a002200
                """,
            json: ##"""
                {"apiVersion":"v1","kind":"Service","metadata":{"labels":{"app":"web"},"name":"web"},
                "spec":{"ports":[{"name":"80-8080","port":80,"protocol":"TCP","targetPort":8080}],
                "selector":{"app":"web"},"type":"ClusterIP"},"status":{"loadBalancer":{}}}
                """##),
        Body(
            command: "create service nodeport web",
            hex: """
                6b3873000a0d0a02763112075365727669636512710a1f0a0377656212001a0022002a003200380042005a0a0a0361707012\
                03776562124a0a240a093434332d6874747073120354435018bb03220b080110001a05687474707328ebed01120a0a036170\
                7012037765621a0022084e6f6465506f72743a00420052005a00600068001a020a001a002200
                """,
            json: ##"""
                {"apiVersion":"v1","kind":"Service","metadata":{"labels":{"app":"web"},"name":"web"},
                "spec":{"ports":[{"name":"443-https","nodePort":30443,"port":443,"protocol":"TCP",
                "targetPort":"https"}],"selector":{"app":"web"},"type":"NodePort"},"status":{"loadBalancer":{}}}
                """##),
        Body(
            command: "create configmap settings",
            hex: """
                6b3873000a0f0a0276311209436f6e6669674d617012280a180a0873657474696e677312001a0022002a0032003800420012\
                0c0a046d6f64651204666173741a002200
                """,
            json: ##"""
                {"apiVersion":"v1","data":{"mode":"fast"},"kind":"ConfigMap","metadata":{"name":"settings"}}
                """##),
        Body(
            command: "create job once",
            hex: """
                6b3873000a0f0a0862617463682f763112034a6f62128f010a140a046f6e636512001a0022002a00320038004200126d326b\
                0a100a0012001a0022002a00320038004200125712340a046f6e6365120762757379626f781a0273681a022d631a07656368\
                6f2068692a0042006a007200800100880100900100a201001a054e65766572320042004a0052005800600068008201008a01\
                009a0100c201001a082000280030003a001a002200
                """,
            json: ##"""
                {"apiVersion":"batch/v1","kind":"Job","metadata":{"name":"once"},"spec":{"template":{"metadata":{},
                "spec":{"containers":[{"command":["sh","-c","echo hi"],"image":"busybox","name":"once",
                "resources":{}}],"restartPolicy":"Never"}}},"status":{}}
                """##),
        Body(
            command: "create cronjob nightly",
            hex: """
                6b3873000a130a0862617463682f7631120743726f6e4a6f6212b2010a170a076e696768746c7912001a0022002a00320038\
                0042001294010a09302031202a202a202a1a002a84010a170a076e696768746c7912001a0022002a00320038004200126932\
                670a100a0012001a0022002a003200380042001253122c0a076e696768746c79120762757379626f781a04646174652a0042\
                006a007200800100880100900100a201001a094f6e4661696c757265320042004a0052005800600068008201008a01009a01\
                00c201001a001a002200
                """,
            json: ##"""
                {"apiVersion":"batch/v1","kind":"CronJob","metadata":{"name":"nightly"},
                "spec":{"jobTemplate":{"metadata":{"name":"nightly"},"spec":{"template":{"metadata":{},
                "spec":{"containers":[{"command":["date"],"image":"busybox","name":"nightly","resources":{}}],
                "restartPolicy":"OnFailure"}}}},"schedule":"0 1 * * *"},"status":{}}
                """##),
        Body(
            command: "create quota limits",
            hex: """
                6b3873000a130a027631120d5265736f7572636551756f746112470a160a066c696d69747312001a0022002a003200380042\
                00122b0a0a0a0363707512030a01320a0f0a066d656d6f727912050a033447690a0c0a04706f647312040a0231301a001a00\
                2200
                """,
            json: ##"""
                {"apiVersion":"v1","kind":"ResourceQuota","metadata":{"name":"limits"},"spec":{"hard":{"cpu":"2",
                "memory":"4Gi","pods":"10"}},"status":{}}
                """##),
        Body(
            command: "create pdb web",
            hex: """
                6b3873000a200a09706f6c6963792f76311213506f6444697372757074696f6e427564676574123c0a130a0377656212001a\
                0022002a0032003800420012190a09080110001a03353025120c0a0a0a0361707012037765621a0a08001800200028003000\
                1a002200
                """,
            json: ##"""
                {"apiVersion":"policy/v1","kind":"PodDisruptionBudget","metadata":{"name":"web"},
                "spec":{"minAvailable":"50%","selector":{"matchLabels":{"app":"web"}}},"status":{"currentHealthy":0,
                "desiredHealthy":0,"disruptionsAllowed":0,"expectedPods":0}}
                """##),
        Body(
            command: "create priorityclass high",
            hex: """
                6b3873000a250a147363686564756c696e672e6b38732e696f2f7631120d5072696f72697479436c61737312340a140a0468\
                69676812001a0022002a0032003800420010e80718002201782a14507265656d70744c6f7765725072696f726974791a0022\
                00
                """,
            json: ##"""
                {"apiVersion":"scheduling.k8s.io/v1","description":"x","kind":"PriorityClass",
                "metadata":{"name":"high"},"preemptionPolicy":"PreemptLowerPriority","value":1000}
                """##),
        Body(
            command: "create ingress web",
            hex: """
                6b3873000a1f0a146e6574776f726b696e672e6b38732e696f2f76311207496e6772657373124a0a130a0377656212001a00\
                22002a00320038004200122f1a2d0a0b6578616d706c652e636f6d121e0a1c0a1a0a012f120d220b0a0377656212040a0010\
                501a065072656669781a020a001a002200
                """,
            json: ##"""
                {"apiVersion":"networking.k8s.io/v1","kind":"Ingress","metadata":{"name":"web"},
                "spec":{"rules":[{"host":"example.com","http":{"paths":[{"backend":{"service":{"name":"web",
                "port":{"number":80}}},"path":"/","pathType":"Prefix"}]}}]},"status":{"loadBalancer":{}}}
                """##),
        Body(
            command: "create clusterrole cr",
            hex: """
                6b3873000a2b0a1c726261632e617574686f72697a6174696f6e2e6b38732e696f2f7631120b436c7573746572526f6c6512\
                250a120a02637212001a0022002a00320038004200120f0a036765742a082f6865616c74687a1a002200
                """,
            json: ##"""
                {"apiVersion":"rbac.authorization.k8s.io/v1","kind":"ClusterRole","metadata":{"name":"cr"},
                "rules":[{"nonResourceURLs":["/healthz"],"verbs":["get"]}]}
                """##),
        Body(
            command: "create clusterrolebinding crb",
            hex: """
                6b3873000a320a1c726261632e617574686f72697a6174696f6e2e6b38732e696f2f76311212436c7573746572526f6c6542\
                696e64696e67126e0a130a0363726212001a0022002a0032003800420012290a04557365721219726261632e617574686f72\
                697a6174696f6e2e6b38732e696f1a046a616e6522001a2c0a19726261632e617574686f72697a6174696f6e2e6b38732e69\
                6f120b436c7573746572526f6c651a0263721a002200
                """,
            json: ##"""
                {"apiVersion":"rbac.authorization.k8s.io/v1","kind":"ClusterRoleBinding","metadata":{"name":"crb"},
                "roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"cr"},
                "subjects":[{"apiGroup":"rbac.authorization.k8s.io","kind":"User","name":"jane"}]}
                """##),
        Body(
            command: "autoscale deployment web",
            hex: """
                6b3873000a290a0e6175746f7363616c696e672f76311217486f72697a6f6e74616c506f644175746f7363616c6572123f0a\
                130a0377656212001a0022002a0032003800420012220a1a0a0a4465706c6f796d656e7412037765621a07617070732f7631\
                1002180520501a04180020001a002200
                """,
            json: ##"""
                {"apiVersion":"autoscaling/v1","kind":"HorizontalPodAutoscaler","metadata":{"name":"web"},
                "spec":{"maxReplicas":5,"minReplicas":2,"scaleTargetRef":{"apiVersion":"apps/v1",
                "kind":"Deployment","name":"web"},"targetCPUUtilizationPercentage":80},
                "status":{"currentReplicas":0,"desiredReplicas":0}}
                """##),
        Body(
            command: "auth can-i create pods",
            hex: """
                6b3873000a320a17617574686f72697a6174696f6e2e6b38732e696f2f7631121753656c665375626a656374416363657373\
                526576696577123f0a100a0012001a0022002a0032003800420012210a1f0a0764656661756c7412066372656174651a0022\
                002a04706f647332003a001a08080012001a0020001a002200
                """,
            json: ##"""
                {"apiVersion":"authorization.k8s.io/v1","kind":"SelfSubjectAccessReview","metadata":{},
                "spec":{"resourceAttributes":{"namespace":"default","resource":"pods","verb":"create"}},
                "status":{"allowed":false}}
                """##),
        Body(
            command: "auth whoami",
            hex: """
                6b3873000a2d0a1861757468656e7469636174696f6e2e6b38732e696f2f7631121153656c665375626a6563745265766965\
                77121a0a100a0012001a0022002a0032003800420012060a040a0012001a002200
                """,
            json: ##"""
                {"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview","metadata":{},
                "status":{"userInfo":{}}}
                """##),
        Body(
            command: "auth can-i --list",
            hex: """
                6b3873000a310a17617574686f72697a6174696f6e2e6b38732e696f2f7631121653656c665375626a65637452756c657352\
                657669657712230a100a0012001a0022002a0032003800420012090a0764656661756c741a04180022001a002200
                """,
            json: ##"""
                {"apiVersion":"authorization.k8s.io/v1","kind":"SelfSubjectRulesReview","metadata":{},
                "spec":{"namespace":"default"},"status":{"incomplete":false}}
                """##),
    ]
}
