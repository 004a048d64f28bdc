// Runs a declarative Jenkinsfile: java … groovy.ui.GroovyMain declarative.groovy Jenkinsfile
//
// It knows the directives and steps that the Jenkinsfile uses, and refuses every other one. BRANCH_NAME is the branch.

class Failed extends RuntimeException {
    Failed(String message) { super(message) }
}

class Scope {
    static void within(Object delegate, Closure body) {
        body.delegate = delegate
        body.resolveStrategy = Closure.DELEGATE_ONLY
        body()
    }
}

class Steps {
    void sh(String command) {
        println "+ $command"
        def process = new ProcessBuilder('sh', '-ec', command).inheritIO().start()
        if (process.waitFor() != 0) throw new Failed("script returned exit code ${process.exitValue()}: $command")
    }

    void input(Map given) { println "approved: ${given.message}" }

    void archiveArtifacts(Map given) { println "archived: ${given.artifacts}" }
}

class When {
    boolean holds = true

    void branch(String name) { holds = System.getenv('BRANCH_NAME') == name }
}

class Stage {
    When condition = new When()
    Closure body

    void when(Closure given) { Scope.within(condition, given) }

    void steps(Closure given) { body = given }
}

class Stages {
    Map<String, Stage> all = [:]

    void stage(String name, Closure given) {
        all[name] = new Stage()
        Scope.within(all[name], given)
    }
}

class Options {
    void disableConcurrentBuilds() {}

    void timestamps() {}

    void timeout(Map given) { assert given.time > 0 && given.unit in ['MINUTES', 'HOURS'] }
}

class Post {
    Closure always

    void always(Closure given) { always = given }
}

class Pipeline {
    Stages declared = new Stages()
    Post after = new Post()

    String getAny() { 'any' }

    void agent(String where) {}

    void options(Closure given) { Scope.within(new Options(), given) }

    void stages(Closure given) { Scope.within(declared, given) }

    void post(Closure given) { Scope.within(after, given) }

    void run() {
        try {
            declared.all.each { name, stage ->
                println "[$name]${stage.condition.holds ? '' : ' skipped'}"
                if (stage.condition.holds) Scope.within(new Steps(), stage.body)
            }
        } finally {
            if (after.always) Scope.within(new Steps(), after.always)
        }
    }
}

def pipeline = new Pipeline()
def binding = new Binding(pipeline: { Closure given -> Scope.within(pipeline, given) })
new GroovyShell(binding).evaluate(new File(args[0]))
try {
    pipeline.run()
} catch (Failed failed) {
    println "ERROR: ${failed.message}"
    System.exit(1)
}
