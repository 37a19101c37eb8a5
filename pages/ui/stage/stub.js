export default async given => (await engine.promise)(given)
